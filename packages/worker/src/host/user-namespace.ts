/** Whether a container's users can be others than the host's: a user namespace, held for a moment by a process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";

import { messageOf } from "@lydian/kit";

import { answerMs } from "./programs.ts";

/** As many ids as a container has, above those of people and systemd's services. */
const map = "0 1879048192 65536";

export interface HeldNamespace extends AsyncDisposable {
  /** Good as long as it is held. */
  readonly path: string;
}

/** Rejects where the kernel or an administrator does not allow one. */
export async function holdUserNamespace(): Promise<HeldNamespace> {
  // It says a line when it is in its namespace and ends with its input.
  const child = spawn("unshare", ["--user", "sh", "-c", "echo; exec cat"], {
    timeout: answerMs,
    killSignal: "SIGKILL",
  });
  const ended = once(child, "close").catch((error: unknown) => [`cannot be started: ${messageOf(error)}`]);
  child.stdin.on("error", () => {}); // it has ended, which shows below
  const release = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  try {
    await firstLine(child, ended);
    await writeFile(`/proc/${child.pid}/uid_map`, map);
    await writeFile(`/proc/${child.pid}/gid_map`, map);
  } catch (error) {
    await release();
    throw error;
  }
  return { path: `/proc/${child.pid}/ns/user`, [Symbol.asyncDispose]: release };
}

async function firstLine(child: ChildProcess, ended: Promise<unknown[]>): Promise<void> {
  const errors: string[] = [];
  child.stderr?.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
  const line = child.stdout === null ? ended : once(child.stdout, "data").then(() => undefined);
  const end = await Promise.race([line, ended]);
  if (end !== undefined) throw new Error(errors.join("").trim() || `unshare ${String(end[0])}`);
}

/**
 * The worker's side of keeper.py: starts one per container, learns of its end, reads what it leaves behind.
 *
 * Why Python: a keeper in TypeScript costs 67 ms and 40 MB (PSS) for Node alone. With this one the function's process is
 * started after 25 ms in all, and the keeper holds 8 MB (PSS; Debian's Python 3.11, 2 cores). Both figures are printed
 * by test/runtime/process/keeper.test.ts.
 */
import { spawn, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { PlatformError, textOf } from "@lydian/kit";

import type { ProcessEnd } from "../../container/exit.ts";
import { doorDescriptor, type DoorSocket, keeperPidFile } from "../../container/door-socket.ts";
import type { ContainerPlace } from "../../container/folder.ts";
import type { ProcessSpec } from "../runtime.ts";
import { watchWriters } from "../writer-watch.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** keeper.json, written before the main process runs its first instruction. */
export interface KeeperRecord {
  keeper: ProcessIdentity;
  main: ProcessIdentity;
  /** The keeper ends all descendants of the main process when that ends. */
  contained: boolean;
}

/** Beside src and dist alike. */
const keeperScript = fileURLToPath(new URL("../../../keeper/keeper.py", import.meta.url));

/** Starts keeper and process; rejects when the process cannot be started. */
export async function startKeeper(
  python: string,
  place: ContainerPlace,
  spec: ProcessSpec,
  door: DoorSocket | undefined,
): Promise<void> {
  const errors = await open(join(place.folder, "keeper-errors"), "a", 0o600);
  try {
    const stdio: StdioOptions = ["pipe", "pipe", errors.fd, "ignore", "ignore"];
    if (door !== undefined) stdio[doorDescriptor] = door.fd;
    const keeper = spawn(python, ["-I", "-S", keeperScript], { detached: true, cwd: "/", env: {}, stdio });
    if (keeper.stdin === null || keeper.stdout === null) throw new Error("a keeper has no pipes");
    keeper.unref();
    const spawned = once(keeper, "spawn");
    // The request is written whole or its reader is gone, which shows in the answer.
    keeper.stdin.on("error", () => {});
    keeper.stdin.end(keeperRequest(place.folder, spec));
    await spawned;
    await writeFile(keeperPidFile(place.folder), String(keeper.pid));
    const answer = (await text(keeper.stdout)).trim();
    if (answer === "started") return;
    if (answer.startsWith("failed ")) throw new PlatformError(answer.slice("failed ".length));
  } finally {
    await errors.close();
  }
  const trace = (await readFile(join(place.folder, "keeper-errors"), "utf8")).trim();
  throw new Error(`the keeper of ${place.id} ended without an answer: ${trace}`);
}

/** The fields that keeper.py reads. No path, argument or variable can hold a NUL byte, so it separates them. */
function keeperRequest(folder: string, spec: ProcessSpec): Buffer {
  const variables = Object.entries(spec.env).map(([name, value]) => `${name}=${value}`);
  const fields = [folder, spec.cwd, String(spec.argv.length), ...spec.argv, ...variables];
  if (fields.some((field) => field.includes("\0")) || Object.keys(spec.env).some((name) => !/^[^=]+$/.test(name))) {
    throw new PlatformError("an environment variable's name is empty or has a =, or a text holds a NUL byte");
  }
  return Buffer.from([...fields, "", ""].join("\0"));
}

/** keeper.json; undefined when nothing was started. */
export async function readKeeperRecord(place: ContainerPlace): Promise<KeeperRecord | undefined> {
  const record = await textOf(join(place.folder, "keeper.json"));
  return record === undefined ? undefined : (JSON.parse(record) as KeeperRecord);
}

/** How the main process ended; undefined when its keeper wrote nothing down. */
export async function readEnd(place: ContainerPlace): Promise<ProcessEnd | undefined> {
  const [kind, number] = ((await textOf(join(place.folder, "exit"))) ?? "").trim().split(" ");
  if (kind === "exited") return { reason: "exited", code: Number(number) };
  if (kind === "signaled") return { reason: "signaled", signal: signalName(Number(number)) };
  return undefined;
}

/** Calls `onGone` once when the keeper has ended, also one that another worker started: it alone holds the FIFO open. */
export function watchKeeper(place: ContainerPlace, onGone: () => void): { close(): void } {
  return watchWriters(join(place.folder, "alive"), onGone);
}

function signalName(number: number): string {
  const known = Object.entries(os.constants.signals).find(([, value]) => value === number);
  return known?.[0] ?? `SIG${number}`;
}

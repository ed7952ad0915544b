/** Control groups that tests have for themselves, and small processes to put into them. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";

import { hasCode } from "@lydian/kit";
import { within } from "@lydian/testkit";
import { Cgroups } from "@lydian/worker";

export const cannotRun = process.getuid?.() === 0 ? false : "control groups are root's";

export const cgroups = await Cgroups.detect();

let count = 0;

export interface Program {
  readonly pid: number;
  /** Resolves to the code or the signal with which it ended. */
  readonly end: Promise<number | string>;
  /** Its next line. */
  line(): Promise<string>;
}

/** One control group, with the processes that were started in it; all of it is gone in the end, and that is checked. */
export class ScratchGroup implements AsyncDisposable {
  readonly path = `/lydian/test-${process.pid}-${count++}`;

  static async make(): Promise<ScratchGroup> {
    const group = new ScratchGroup();
    await cgroups.create(group.path);
    return group;
  }

  /** Runs a Python program in it: from its first instruction, in the folders that are named (default: all). */
  async run(script: string, folders: readonly string[] = cgroups.folders(this.path)): Promise<Program> {
    const child = spawn("python3", ["-I", "-S", "-u", "-c", `import os, sys, time\nsys.stdin.readline()\n${script}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const end = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
    await once(child, "spawn");
    const { pid } = child;
    assert.ok(pid !== undefined);
    for (const folder of folders) await join(folder, pid);
    child.stdin.end("go\n");
    return { pid, end, line: lines(child) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await cgroups.kill(this.path);
    await cgroups.remove(this.path);
    await cgroups.removeIfEmpty("/lydian");
    for (const folder of cgroups.folders(this.path)) assert.ok(!existsSync(folder), folder);
  }
}

async function join(folder: string, pid: number): Promise<void> {
  try {
    await writeFile(`${folder}/cgroup.procs`, String(pid));
  } catch (error) {
    if (!hasCode(error, "ENOSPC")) throw error; // a new group of cpuset has no cores before it is given some
  }
}

function lines(child: ChildProcess): () => Promise<string> {
  assert.ok(child.stdout !== null);
  const iterator = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await within(20_000, iterator.next(), () => "a program in a control group says nothing");
    assert.ok(done !== true, "the program ended and has not said what it should");
    return value;
  };
}

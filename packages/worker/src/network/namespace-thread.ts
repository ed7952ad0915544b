/**
 * The thread that enters network namespaces and pins them: one synchronous job after the other (namespaces.ts asks).
 *
 * It imports next to nothing, for doors of containers that run wait for it when a worker starts: @lydian/kit alone would
 * take it 100 ms.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { parentPort } from "node:worker_threads";

import { forgetConnections } from "./connection-tracking.ts";
import { connect, deleteLink, writeIfThere } from "./links.ts";
import { bindMount, detachMount, inNamespace, makeSocket, shareMount, type SocketPlace } from "./namespace-calls.ts";

/** Where the two namespaces of a slot are pinned. */
export interface Pins {
  readonly user: string | undefined;
  readonly net: string;
}

const jobs = {
  /** Makes the folder of pins a mount of its own, whose unmounts reach copies of it in other mount namespaces. */
  preparePins(folder: string): void {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (mountPoints().includes(folder)) return;
    bindMount(folder, folder);
    shareMount(folder);
  },

  /** Takes the pins' folder away, with all that is still pinned in it. */
  removePins(folder: string): void {
    for (const path of mountPoints().filter((path) => path.startsWith(`${folder}/`))) detachMount(path);
    while (detachMount(folder)); // a worker before may have been killed between its two steps
    rmSync(folder, { recursive: true, force: true });
  },

  /** What is pinned in the folder. */
  pinned(folder: string): string[] {
    return mountPoints().filter((path) => path.startsWith(`${folder}/`));
  },

  /** Pins the namespaces of a process that waits in fresh ones; ids 0 to 65535 become `base` and up on the host. */
  pin(pid: number, base: number, pins: Pins): void {
    if (pins.user !== undefined) {
      for (const map of ["uid_map", "gid_map"]) writeFileSync(`/proc/${pid}/${map}`, `0 ${base} 65536`);
      pinOne(`/proc/${pid}/ns/user`, pins.user);
    }
    pinOne(`/proc/${pid}/ns/net`, pins.net);
    inNamespace(pins.net, () => {
      // In a user namespace nobody is privileged on the host, and a port inside is nobody's business outside.
      writeFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
      // Interfaces to come have no IPv6; the loopback that is there keeps its ::1.
      writeIfThere("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    });
  },

  unpin(paths: readonly string[]): void {
    for (const path of paths) {
      detachMount(path);
      rmSync(path, { force: true });
    }
  },

  /** Answers a descriptor of this process that its asker must close. */
  socket(netns: string, place: SocketPlace): number {
    return inNamespace(netns, () => makeSocket(place));
  },

  connect,
  deleteLink,
  forgetConnections,
};

export type Jobs = typeof jobs;

/** What the thread is asked, and what it answers. */
export interface Request {
  readonly id: number;
  readonly job: keyof Jobs;
  readonly args: readonly unknown[];
}
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: Error; readonly code: string | undefined };

function pinOne(namespace: string, path: string): void {
  writeFileSync(path, "", { mode: 0o600 });
  bindMount(namespace, path);
}

function mountPoints(): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n");
  return lines.map((line) =>
    (line.split(" ")[4] ?? "").replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    ),
  );
}

parentPort?.on("message", ({ id, job, args }: Request) => {
  let answer: Answer;
  try {
    answer = { id, value: (jobs[job] as (...args: readonly unknown[]) => unknown)(...args) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    answer = { id, error: error as Error, code };
  }
  parentPort?.postMessage(answer, []);
});

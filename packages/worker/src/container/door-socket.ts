/**
 * The end of a door that listens. It is bound once in a container's life, and the container's keeper (conmon, or keeper.py),
 * which outlives the worker, has it open as well: while there is no worker connections wait in the kernel's queue instead of being
 * refused, and the next worker takes the socket from the keeper.
 */
import { closeSync } from "node:fs";
import { chmod, mkdir, readFile, readlink, rm, stat } from "node:fs/promises";
import net from "node:net";
import { dirname, join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

/** The kernel's limit for the path of a unix socket is 108 bytes, the terminating zero included. */
const longestSocketPath = 107;

/** What it is in every keeper: the first descriptor that neither keeper uses. */
export const doorDescriptor = 5;

/** Has the number of the keeper's process, or leads to where the keeper writes it. */
export function keeperPidFile(folder: string): string {
  return join(folder, "keeper-pid");
}

export class DoorSocket {
  readonly file: string;
  readonly #listener: net.Server;

  private constructor(file: string, listener: net.Server) {
    this.file = file;
    this.#listener = listener;
    // Only a failed accept (out of descriptors) comes here; the connection is lost, the door is not.
    listener.on("error", () => {});
  }

  /**
   * Listens on `file`; what a worker before left there is replaced. Whoever reaches the socket may use it: it is its folder's
   * place that bars the way to all others.
   */
  static async bind(file: string): Promise<DoorSocket> {
    if (Buffer.byteLength(file) > longestSocketPath) {
      throw new PlatformError(`the path ${file} is too long for a unix socket`, {
        hint: "choose a data folder with a shorter path",
      });
    }
    await mkdir(dirname(file), { recursive: true, mode: 0o711 });
    await rm(file, { force: true });
    const socket = new DoorSocket(file, await listening({ path: file }));
    await chmod(file, 0o666);
    return socket;
  }

  /** The socket at `file` that the keeper of the container in `folder` has open; undefined when it has none, or is gone. */
  static async take(file: string, folder: string): Promise<DoorSocket | undefined> {
    const pid = await keeperPid(folder);
    if (pid === undefined || !(await isThere(file))) return undefined;
    // Here, since it loads a library, and a worker that has nothing to take opens its doors sooner without.
    const { descriptorOf } = await import("./descriptor-of.ts");
    const fd = descriptorOf(pid, doorDescriptor);
    if (fd === undefined) return undefined;
    // Another process may have the keeper's number by now, and something else open.
    if (await isSocketAt(fd, file)) return new DoorSocket(file, await listening({ fd }));
    closeSync(fd);
    return undefined;
  }

  /** For the keeper that is to have it. */
  get fd(): number {
    const { fd } = (this.#listener as unknown as { _handle: { fd: number } | null })._handle ?? { fd: -1 };
    if (fd < 0) throw new Error(`the door ${this.file} is closed`);
    return fd;
  }

  onConnection(handle: (inside: net.Socket) => void): void {
    this.#listener.on("connection", handle);
  }

  /** In this process; the keeper has it on. */
  async close(): Promise<void> {
    if (this.#listener.listening) await new Promise((resolve) => this.#listener.close(resolve));
  }
}

async function listening(at: { path: string } | { fd: number }): Promise<net.Server> {
  const listener = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(at, () => {
      listener.off("error", reject);
      resolve();
    });
  });
  return listener;
}

async function keeperPid(folder: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(keeperPidFile(folder), "utf8"));
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The kernel's list has a line for each socket that is bound, with its inode and its path last. */
async function isSocketAt(fd: number, file: string): Promise<boolean> {
  const [, inode] = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/self/fd/${fd}`)) ?? [];
  return inode !== undefined && (await readFile("/proc/net/unix", "utf8")).includes(` ${inode} ${file}\n`);
}

async function isThere(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isSocket();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

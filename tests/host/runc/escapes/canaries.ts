/** What the host has that no container may get at: a process, a file, memory, a queue, sockets, all with one secret. */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { rm, stat, writeFile } from "node:fs/promises";
import net from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import koffi from "koffi";

/** As the attempts take them. */
export interface Canaries {
  readonly secret: string;
  readonly hostname: string;
  /** Runs as root without any capability, and has the secret in its environment. */
  readonly pid: number;
  /** Has the secret in it. */
  readonly file: string;
  /** The file's struct file_handle, in hex. */
  readonly handle: string;
  /** Everybody may read it; has the secret in it. */
  readonly shm: number;
  /** Name of a queue that everybody may read, and of a file in /dev/shm with the secret. */
  readonly queue: string;
  /** Name of an abstract unix socket that says the secret. */
  readonly abstract: string;
  /** Says the secret, on 127.0.0.1. */
  readonly port: number;
  /** The end of the path of another container's door, which says the secret. */
  readonly door: string;
  /** Major and minor number of a disk with the secret at its beginning. */
  readonly disk: readonly [number, number];
}

const run = promisify(execFile);

const libc = koffi.load(null);
const shmget = libc.func("int shmget(int key, size_t size, int flags)");
const shmat = libc.func("void *shmat(int id, void *address, int flags)");
const shmctl = libc.func("int shmctl(int id, int command, void *buffer)");
const mqOpen = libc.func("int mq_open(const char *name, int flags, unsigned int mode, void *attributes)");
const mqUnlink = libc.func("int mq_unlink(const char *name)");
const nameToHandle = libc.func(
  "int name_to_handle_at(int folder, const char *path, _Inout_ uint8_t *handle, _Out_ int *mount, int flags)",
);

const privateKey = 0; // IPC_PRIVATE
const everybody = 0o666;
const create = { shm: 0o1000, queue: 0o100 | 0o2 }; // IPC_CREAT; O_CREAT | O_RDWR
const removeShm = 0; // IPC_RMID
const currentFolder = -100; // AT_FDCWD

/** Sets them out; `folder` lies on the disk of the platform's data, `doorFile` is the path of another container's door. */
export async function openCanaries(folder: string, doorFile: string): Promise<Canaries & AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  const secret = `secret-${randomBytes(8).toString("hex")}`;
  const name = `lydian-canary-${randomBytes(4).toString("hex")}`;
  const file = join(folder, name);
  await writeFile(file, secret);
  undo.defer(() => rm(file, { force: true }));
  await writeFile(`/dev/shm/${name}`, secret, { mode: 0o644 });
  undo.defer(() => rm(`/dev/shm/${name}`));
  const sleeper = spawn("setpriv", ["--bounding-set=-all", "--inh-caps=-all", "sleep", "1000"], {
    env: { PATH: process.env["PATH"], SECRET: secret },
    stdio: "ignore",
  });
  await once(sleeper, "spawn");
  undo.defer(() => void sleeper.kill("SIGKILL"));
  const events = setInterval(() => writeFileSync("/sys/class/mem/null/uevent", "change"), 50);
  undo.defer(() => clearInterval(events));
  const canaries = {
    secret,
    hostname: hostname(),
    pid: sleeper.pid ?? 0,
    file,
    handle: handleOf(file),
    shm: sharedMemory(secret, undo),
    queue: queue(name, undo),
    abstract: name,
    port: 0,
    door: doorFile.split("/").slice(-2).join("/"),
    disk: await disk(folder, secret, undo),
  };
  await listen(secret, { path: `\0${name}` }, undo);
  await listen(secret, { path: doorFile, writableAll: true }, undo);
  const listener = await listen(secret, { host: "127.0.0.1", port: 0 }, undo);
  canaries.port = (listener.address() as net.AddressInfo).port;
  const kept = undo.move();
  return { ...canaries, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function listen(secret: string, at: net.ListenOptions, undo: AsyncDisposableStack): Promise<net.Server> {
  const server = net.createServer((socket) => socket.on("error", () => {}).end(secret));
  server.listen(at);
  await once(server, "listening");
  undo.defer(() => void server.close());
  return server;
}

function sharedMemory(secret: string, undo: AsyncDisposableStack): number {
  const id = shmget(privateKey, 4096, create.shm | everybody) as number;
  if (id === -1) throw new Error(`shmget failed: ${koffi.errno()}`);
  undo.defer(() => void shmctl(id, removeShm, null));
  koffi.encode(shmat(id, null, 0), koffi.array("char", 64), secret);
  return id;
}

function queue(name: string, undo: AsyncDisposableStack): string {
  const umask = process.umask(0);
  const fd = mqOpen(`/${name}`, create.queue, everybody, null) as number;
  process.umask(umask);
  if (fd === -1) throw new Error(`mq_open failed: ${koffi.errno()}`);
  undo.defer(() => void mqUnlink(`/${name}`));
  return name;
}

function handleOf(file: string): string {
  const handle = Buffer.alloc(8 + 128);
  handle.writeUInt32LE(128); // the room behind the two numbers
  if (nameToHandle(currentFolder, file, handle, [0], 0) === -1) throw new Error(`no handle: ${koffi.errno()}`);
  return handle.subarray(0, 8 + handle.readUInt32LE()).toString("hex");
}

/** A disk of the host's, with the secret at its beginning; where there are no loop devices, one that is not there. */
async function disk(folder: string, secret: string, undo: AsyncDisposableStack): Promise<[number, number]> {
  const file = join(folder, "disk");
  await writeFile(file, secret.padEnd(4096));
  undo.defer(() => rm(file));
  const { stdout } = await run("losetup", ["--find", "--show", file]).catch(() => ({ stdout: "" }));
  const device = stdout.trim();
  if (device === "") return [7, 4095];
  undo.defer(async () => void (await run("losetup", ["--detach", device])));
  const { rdev } = await stat(device);
  return [rdev >> 8, rdev & 0xff];
}

/**
 * System calls about namespaces, pins and sockets, made synchronously on the calling thread by way of libc.
 *
 * What `inNamespace` runs must be synchronous: a thread that is born meanwhile (the runtime's pool starts its own when
 * they are first needed) would live in that namespace for ever.
 */
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";

import koffi from "koffi";

const libc = koffi.load(null);

type Call = (...args: (number | string | Uint8Array | null)[]) => number;

const declare = (prototype: string): Call => libc.func(prototype);

const calls = {
  setns: declare("int setns(int fd, int kind)"),
  mount: declare(
    "int mount(const char *source, const char *target, const char *kind, unsigned long flags, void *data)",
  ),
  umount2: declare("int umount2(const char *target, int flags)"),
  socket: declare("int socket(int domain, int type, int protocol)"),
  setsockopt: declare("int setsockopt(int fd, int level, int name, void *value, unsigned int length)"),
  bind: declare("int bind(int fd, void *address, unsigned int length)"),
  listen: declare("int listen(int fd, int backlog)"),
  send: declare("long send(int fd, void *bytes, size_t length, int flags)"),
  recv: declare("long recv(int fd, _Out_ void *bytes, size_t length, int flags)"),
  if_nametoindex: declare("unsigned int if_nametoindex(const char *name)"),
};

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** A system call that failed on `what`; `code` is the name of the error, such as `EBUSY`. */
export class NamespaceCallError extends Error {
  readonly code: string;

  constructor(call: string, what: string, errno: number) {
    const code = names.get(errno) ?? `errno ${errno}`;
    super(`${call} of ${what} failed: ${code}`);
    this.name = "NamespaceCallError";
    this.code = code;
  }
}

function invoke(name: keyof typeof calls, what: string, ...args: Parameters<Call>): number {
  const result = calls[name](...args);
  if (result === -1) throw new NamespaceCallError(name, what, koffi.errno());
  return result;
}

const flag = { bind: 0x1000, recursive: 0x4000, shared: 1 << 20 } as const; // MS_BIND, MS_REC, MS_SHARED
const detach = 2 | 8; // MNT_DETACH | UMOUNT_NOFOLLOW
const newNetwork = 0x40000000; // CLONE_NEWNET
const internet = 2; // AF_INET
const netlink = 16; // AF_NETLINK
const closeOnExec = 0x80000; // SOCK_CLOEXEC
const kinds = { tcp: 1, udp: 2, raw: 3 } as const; // SOCK_STREAM, SOCK_DGRAM, SOCK_RAW

/** Shows `source` at `target`. */
export function bindMount(source: string, target: string): void {
  invoke("mount", `${source} on ${target}`, source, target, null, flag.bind, null);
}

/** A copy of this mount in another mount namespace loses what is unmounted here. */
export function shareMount(target: string): void {
  invoke("mount", target, null, target, null, flag.shared | flag.recursive, null);
}

/** Answers false when nothing is mounted there. */
export function detachMount(target: string): boolean {
  try {
    invoke("umount2", target, target, detach);
    return true;
  } catch (error) {
    if (error instanceof NamespaceCallError && ["EINVAL", "ENOENT"].includes(error.code)) return false;
    throw error;
  }
}

let home: number | undefined;

/** Runs `work` with this thread in the network namespace pinned at `path`. */
export function inNamespace<T>(path: string, work: () => T): T {
  home ??= openSync("/proc/thread-self/ns/net", "r");
  const there = openSync(path, "r");
  try {
    invoke("setns", path, there, newNetwork);
    try {
      return work();
    } finally {
      invoke("setns", "the host's network namespace", home, newNetwork);
    }
  } finally {
    closeSync(there);
  }
}

export interface SocketPlace {
  readonly kind: "tcp" | "udp";
  /** A numeric address of this host and a port. */
  readonly bind?: { readonly address: string; readonly port: number } | undefined;
}

/** A socket of the calling thread's network namespace; TCP listens when it is bound. The caller owns the descriptor. */
export function makeSocket(place: SocketPlace): number {
  const what = `a ${place.kind} socket`;
  const fd = invoke("socket", what, internet, kinds[place.kind] | closeOnExec, 0);
  try {
    if (place.bind !== undefined) {
      const { address, port } = place.bind;
      // A worker before may have had connections on this port; they must not hold up the next one.
      const on = new Uint8Array(new Int32Array([1]).buffer);
      invoke("setsockopt", what, fd, 1, 2, on, on.byteLength); // SOL_SOCKET, SO_REUSEADDR
      const name = socketAddress(address, port);
      invoke("bind", `${what} to ${address}:${port}`, fd, name, name.byteLength);
      if (place.kind === "tcp") invoke("listen", what, fd, 511);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** struct sockaddr_in */
function socketAddress(address: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, internet, true);
  view.setUint16(2, port);
  bytes.set(address.split(".").map(Number), 4);
  return bytes;
}

/** Sends one netlink request to the calling thread's network namespace; answers the first reply. */
export function exchange(protocol: number, request: Uint8Array): Buffer {
  const fd = invoke("socket", "netlink", netlink, kinds.raw | closeOnExec, protocol);
  try {
    invoke("send", "a netlink request", fd, request, request.byteLength, 0);
    const reply = Buffer.alloc(4096);
    invoke("recv", "a netlink reply", fd, reply, reply.byteLength, 0);
    return reply;
  } finally {
    closeSync(fd);
  }
}

/** By which netlink knows a link of the calling thread's network namespace. */
export function indexOfLink(name: string): number {
  const index = calls.if_nametoindex(name);
  if (index === 0) throw new NamespaceCallError("if_nametoindex", name, koffi.errno());
  return index;
}

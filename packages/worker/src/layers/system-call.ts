/** Linux system calls that the runtime does not offer, made synchronously on the calling thread, and their errors. */
import { getSystemErrorMessage } from "node:util";
import { constants } from "node:os";

import { PlatformError } from "@lydian/kit/errors";
import koffi from "koffi";

/** The numbers of asm/unistd_64.h and asm-generic/unistd.h. */
const numbers = {
  close: { x64: 3, arm64: 57 },
  connect: { x64: 42, arm64: 203 },
  fallocate: { x64: 285, arm64: 47 },
  fsconfig: { x64: 431, arm64: 431 },
  fsetxattr: { x64: 190, arm64: 7 },
  fsmount: { x64: 432, arm64: 432 },
  fspick: { x64: 433, arm64: 433 },
  fsopen: { x64: 430, arm64: 430 },
  ioctl: { x64: 16, arm64: 29 },
  lgetxattr: { x64: 192, arm64: 9 },
  llistxattr: { x64: 195, arm64: 12 },
  lremovexattr: { x64: 198, arm64: 15 },
  lseek: { x64: 8, arm64: 62 },
  lsetxattr: { x64: 189, arm64: 6 },
  mkdirat: { x64: 258, arm64: 34 },
  mknodat: { x64: 259, arm64: 33 },
  mount: { x64: 165, arm64: 40 },
  mount_setattr: { x64: 442, arm64: 442 },
  move_mount: { x64: 429, arm64: 429 },
  open_tree: { x64: 428, arm64: 428 },
  openat: { x64: 257, arm64: 56 },
  openat2: { x64: 437, arm64: 437 },
  pidfd_getfd: { x64: 438, arm64: 438 },
  pidfd_open: { x64: 434, arm64: 434 },
  prctl: { x64: 157, arm64: 167 },
  read: { x64: 0, arm64: 63 },
  readlinkat: { x64: 267, arm64: 78 },
  setfsgid: { x64: 123, arm64: 152 },
  setfsuid: { x64: 122, arm64: 151 },
  shutdown: { x64: 48, arm64: 210 },
  socket: { x64: 41, arm64: 198 },
  syncfs: { x64: 306, arm64: 267 },
  sync_file_range: { x64: 277, arm64: 84 },
  umount2: { x64: 166, arm64: 39 },
  write: { x64: 1, arm64: 64 },
} as const;

export type CallName = keyof typeof numbers;

/** A system call that failed: which, on what, and the name of the error, such as `EBUSY`. */
export class SystemCallError extends Error {
  readonly call: CallName;
  /** The path, or what else the call was about. */
  readonly path: string;
  readonly code: string;

  constructor(call: CallName, path: string, code: string) {
    super(`${call} of ${path} failed: ${code}${meaningOf(code)}`);
    this.name = "SystemCallError";
    this.call = call;
    this.path = path;
    this.code = code;
  }
}

const codes = new Map<number, string>(Object.entries(constants.errno).map(([code, number]) => [number, code]));
codes.set(117, "EUCLEAN"); // a damaged file system; Node's table lacks it

function meaningOf(code: string): string {
  const number = (constants.errno as Record<string, number | undefined>)[code];
  return number === undefined ? "" : ` (${getSystemErrorMessage(-number)})`;
}

/** How an argument is passed: a number, text or its bytes, or memory that the call may write to. */
interface ArgumentTypes {
  long: number | bigint;
  str: string | Uint8Array | null;
  "void *": NodeJS.ArrayBufferView | null;
}

type Arguments<T extends readonly (keyof ArgumentTypes)[]> = { [K in keyof T]: ArgumentTypes[T[K]] };

// syscall(2) is declared once for each shape of arguments. It is variadic in C, which makes no difference for integers and
// pointers on the architectures of the table.
const library = koffi.load(null);

function numberOf(name: CallName): number {
  const { arch } = process;
  if (arch !== "x64" && arch !== "arm64") {
    throw new PlatformError(`containers cannot run on the architecture ${arch}: its system calls are not known`);
  }
  return numbers[name][arch];
}

/** A system call with arguments of these types; its first argument names the object for the error. */
export function systemCall<const T extends readonly (keyof ArgumentTypes)[]>(
  name: CallName,
  types: T,
): (path: string, ...args: Arguments<T>) => number {
  const invoke = library.func("syscall", "long", ["long", ...types]) as unknown as (...args: unknown[]) => number;
  const texts = types.flatMap((type, i) => (type === "str" ? i : []));
  return (path, ...args) => {
    const passed: unknown[] = [...args];
    for (const i of texts) if (passed[i] instanceof Uint8Array) passed[i] = Buffer.concat([passed[i], Buffer.of(0)]);
    const result = invoke(numberOf(name), ...passed);
    if (result === -1) throw failure(name, path, koffi.errno());
    return result;
  };
}

/** The same on a thread of the pool, for a call that may take long; texts are text. */
export function asyncSystemCall<const T extends readonly (keyof ArgumentTypes)[]>(
  name: CallName,
  types: T,
): (path: string, ...args: Arguments<T>) => Promise<number> {
  const invoke = library.func("syscall", "long", ["long", ...types]);
  return (path, ...args) =>
    new Promise((resolve, reject) => {
      invoke.async(numberOf(name), ...args, (error: unknown, result: number) => {
        if (error instanceof Error) reject(error);
        else if (result === -1) reject(failure(name, path, koffi.errno()));
        else resolve(result);
      });
    });
}

function failure(name: CallName, path: string, errno: number): SystemCallError {
  return new SystemCallError(name, path, codes.get(errno) ?? `errno ${errno}`);
}

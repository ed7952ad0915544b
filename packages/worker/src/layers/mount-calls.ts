/** The system calls of mounts, each under a name of ours; where several kernels answer differently, the callers choose. */
import { hasCode } from "@lydian/kit/errors";

import { atWorkingFolder, closeOnExec, Descriptor } from "./descriptor.ts";
import { asyncSystemCall, SystemCallError, systemCall } from "./system-call.ts";

const fsopen = systemCall("fsopen", ["str", "long"]);
const fsconfigText = systemCall("fsconfig", ["long", "long", "str", "str", "long"]);
const fspick = systemCall("fspick", ["long", "str", "long"]);
const fsconfigLater = asyncSystemCall("fsconfig", ["long", "long", "str", "str", "long"]);
const closeLater = asyncSystemCall("close", ["long"]);
const fsmount = systemCall("fsmount", ["long", "long", "long"]);
const openTree = systemCall("open_tree", ["long", "str", "long"]);
const mountSetattr = systemCall("mount_setattr", ["long", "str", "long", "void *", "long"]);
const moveMount = systemCall("move_mount", ["long", "str", "long", "str", "long"]);
const mountCall = systemCall("mount", ["str", "str", "str", "long", "str"]);
const umount2 = systemCall("umount2", ["str", "long"]);
const setfsuid = systemCall("setfsuid", ["long"]);
const setfsgid = systemCall("setfsgid", ["long"]);
const prctl = systemCall("prctl", ["long", "long", "long", "long", "long"]);
const read = systemCall("read", ["long", "void *", "long"]);

const emptyPath = 0x1000; // AT_EMPTY_PATH
const clone = 1; // OPEN_TREE_CLONE
const moveFrom = { empty: 0x4 }; // MOVE_MOUNT_F_EMPTY_PATH
const moveTo = { empty: 0x40 }; // MOVE_MOUNT_T_EMPTY_PATH
const detach = 2 | 8; // MNT_DETACH | UMOUNT_NOFOLLOW
const noFollow = 8; // UMOUNT_NOFOLLOW
const configure = { flag: 0, text: 1, descriptor: 5, create: 6, change: 7 } as const;
const pick = 1 | 8; // FSPICK_CLOEXEC | FSPICK_EMPTY_PATH
const propagationFlag = { private: 1 << 18, shared: 1 << 20 } as const; // MS_PRIVATE, MS_SHARED

/** MOUNT_ATTR_* bits; the first three have the same values as MS_RDONLY, MS_NOSUID and MS_NODEV. */
export const attribute = { readOnly: 1, noSuid: 2, noDevices: 4, idMapped: 0x100000 } as const;

/** A copy of the mount at a trusted path, or at an open place, attached nowhere; without the mounts below it. */
export function cloneTree(from: string | Descriptor): Descriptor {
  if (typeof from === "string") {
    return new Descriptor(openTree(from, atWorkingFolder, from, clone | closeOnExec), from);
  }
  return new Descriptor(openTree(from.path, from.number, "", clone | closeOnExec | emptyPath), from.path);
}

export interface MountAttributes {
  /** Bits of `attribute`. */
  readonly set?: number;
  readonly propagation?: keyof typeof propagationFlag;
  /** Map ids through this user namespace; only for a mount that nobody uses yet. */
  readonly userns?: Descriptor | undefined;
}

export function setAttributes(mount: Descriptor, attributes: MountAttributes): void {
  const { set = 0, propagation, userns } = attributes;
  const what = new BigUint64Array([
    BigInt(set | (userns === undefined ? 0 : attribute.idMapped)),
    0n,
    BigInt(propagation === undefined ? 0 : propagationFlag[propagation]),
    BigInt(userns?.number ?? 0),
  ]);
  const path = userns === undefined ? mount.path : `${mount.path} with the ids of ${userns.path}`;
  mountSetattr(path, mount.number, "", emptyPath, what, what.byteLength);
}

/** Attaches a detached mount at a trusted path, or at an open place. */
export function attach(mount: Descriptor, target: string | Descriptor): void {
  if (typeof target === "string") {
    moveMount(`${mount.path} to ${target}`, mount.number, "", atWorkingFolder, target, moveFrom.empty);
  } else {
    const flags = moveFrom.empty | moveTo.empty;
    moveMount(`${mount.path} to ${target.path}`, mount.number, "", target.number, "", flags);
  }
}

/** A file system that is being set up, with the parameters of its kind. */
export class FileSystemContext implements Disposable {
  readonly #descriptor: Descriptor;
  readonly #kind: string;

  constructor(kind: string) {
    this.#kind = kind;
    this.#descriptor = new Descriptor(fsopen(kind, kind, 1), kind); // FSOPEN_CLOEXEC
  }

  setText(key: string, value: string): void {
    this.#configure(configure.text, `${key}=${value}`, key, value, 0);
  }

  setFlag(key: string): void {
    this.#configure(configure.flag, key, key, null, 0);
  }

  setDescriptor(key: string, value: Descriptor): void {
    this.#configure(configure.descriptor, `${key}=${value.path}`, key, null, value.number);
  }

  /** Makes the file system and a mount of it that is attached nowhere; `flags` are bits of `attribute`. */
  create(path: string, flags: number): Descriptor {
    this.#configure(configure.create, path, null, null, 0);
    return new Descriptor(fsmount(path, this.#descriptor.number, 1, flags), path); // FSMOUNT_CLOEXEC
  }

  [Symbol.dispose](): void {
    this.#descriptor[Symbol.dispose]();
  }

  #configure(command: number, what: string, key: string | null, value: string | null, descriptor: number): void {
    try {
      fsconfigText(`${this.#kind} ${what}`, this.#descriptor.number, command, key, value, descriptor);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      const said = this.#messages();
      throw said === "" ? error : new SystemCallError(error.call, `${error.path} [${said}]`, error.code);
    }
  }

  /** What the file system has to say about its failure. */
  #messages(): string {
    const said: string[] = [];
    const text = Buffer.alloc(1024);
    try {
      for (;;) said.push(text.toString("utf8", 0, read(this.#kind, this.#descriptor.number, text, text.length)).trim());
    } catch (error) {
      if (!hasCode(error, "ENODATA")) throw error; // all is said
    }
    return said.join("; ");
  }
}

/**
 * Lets nobody write any more to the file system of a mount that is attached nowhere, through whatever mount; refused (EBUSY)
 * while anything is open for writing, mapped so, or deleted and open. The kernel forgets all names of it that it knows.
 */
export async function makeReadOnly(path: string, mount: number): Promise<void> {
  using context = new Descriptor(fspick(path, mount, "", pick), path);
  fsconfigText(`${path} ro`, context.number, configure.flag, "ro", null, 0);
  await fsconfigLater(`${path} ro`, context.number, configure.change, null, null, 0);
}

/** Closes a descriptor whose end may be that of a file system. */
export async function endLater(path: string, descriptor: number): Promise<void> {
  await closeLater(path, descriptor);
}

/** mount(2); `flags` are bits of `attribute` but `idMapped`. */
export function mountByName(kind: string, target: string, flags: number, options: string): void {
  mountCall(target, kind, target, kind, flags, options);
}

/** Takes the topmost mount at `target` and all below it out of sight at once; busy ones end with their last user. */
export function detachMount(target: string): void {
  umount2(target, target, detach);
}

/** Takes away the mount at `target`, unless anything uses it (EBUSY), in any copy of it that follows this one. */
export function unmountUnused(target: string): void {
  umount2(target, target, noFollow);
}

/**
 * For the life of this thread: its capabilities stay as they are whatever its file system ids become.
 * SECBIT_NO_SETUID_FIXUP, which needs CAP_SETPCAP.
 */
export function keepCapabilities(): void {
  prctl("the mount thread's securebits", 28, 4, 0, 0, 0); // PR_SET_SECUREBITS
}

/**
 * Runs `work` with other file system ids on this thread. Only synchronous system calls may be made in it: a thread that is
 * born meanwhile (the runtime's pool starts its own when they are first needed) would keep these ids for ever.
 */
export function asOwner<T>(owner: { uid: number; gid: number }, work: () => T): T {
  try {
    setIds(owner.uid, owner.gid);
    return work();
  } finally {
    setIds(0, 0);
  }
}

function setIds(uid: number, gid: number): void {
  setfsgid(String(gid), gid);
  setfsuid(String(uid), uid);
  // The calls cannot fail but they can be ignored; asked with an impossible id they answer the one in force.
  if (setfsuid(String(uid), -1) !== uid) throw new SystemCallError("setfsuid", String(uid), "EPERM");
}

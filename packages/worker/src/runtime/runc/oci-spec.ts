/**
 * A container's config.json: everything that shuts it in, as a pure function of what it is to run and where.
 *
 * The values are Docker's where Docker has one; what differs says why. OCI runtime specification 1.0.
 */
import type { Account, ProcessSpec } from "../runtime.ts";
import { type SeccompProfile, seccompProfile } from "./seccomp.ts";

/** A file or folder of the host that the container sees; never writable. */
export interface SpecBind {
  /** Trusted path on the host. */
  readonly source: string;
  /** Absolute in the container; runc resolves it inside the root and makes it when it is missing. */
  readonly path: string;
  /** The platform's own files and sockets; packages hold libraries, which are executable. */
  readonly executable: boolean;
}

export interface SpecRequest {
  readonly process: ProcessSpec;
  /** The container's limit of memory, if it has one. */
  readonly memoryMib?: number | undefined;
  /** 0 to 1000: the higher, the sooner the kernel takes it when the host runs out of memory. */
  readonly oomScoreAdj: number;
  /** Path of the merged root file system. */
  readonly root: string;
  readonly hostname: string;
  /** `/lydian/INSTANCE/ID`; its limits are the worker's to set, before and after the start. */
  readonly cgroupsPath: string;
  readonly network: { readonly netns: string; readonly userns: string | undefined; readonly base: number };
  readonly binds: readonly SpecBind[];
  readonly host: SpecHost;
}

/** What the host can do. */
export interface SpecHost {
  /** Absolute path of a statically linked tini. */
  readonly init: string;
  /** The hard limit of open files that the worker itself has: without CAP_SYS_RESOURCE nobody can have more. */
  readonly maxOpenFiles: number;
  /** An instruction set in Node's words, `process.arch`. */
  readonly processor: string;
  /** Paths that only root may read there, and so nobody in a container, whose root may be the host's. */
  readonly filesOfRoot: readonly string[];
}

export interface OciSpec {
  readonly ociVersion: string;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly process: OciProcess;
  readonly mounts: readonly OciMount[];
  readonly linux: OciLinux;
}

interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids?: readonly number[] };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<"bounding" | "effective" | "permitted", readonly string[]>>;
  readonly rlimits: readonly { readonly type: string; readonly hard: number; readonly soft: number }[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
}

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

interface OciLinux {
  readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly cgroupsPath: string;
  readonly resources: { readonly devices: readonly { readonly allow: boolean; readonly access: string }[] };
  readonly rootfsPropagation: string;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp: SeccompProfile;
}

interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** How many ids a container has, from its root on. */
const idCount = 65_536;

const mib = 1024 * 1024;

const maxOpenFiles = 65_536;

/**
 * The first process of the container is an init, not the program: the kernel gives it all orphans, and takes no signal for
 * it that it does not handle. tini waits for orphans, so that no zombie fills the limit of processes; the program gets the
 * signals that it would get on any machine (`-g`: with its process group), and its end is the container's.
 */
const initPath = "/run/lydian/init";
const initArguments = ["-g", "--"];

/** Docker's fourteen. None can be had beyond them: the bounding set is the same, and nothing is inheritable or ambient. */
export const containerCapabilities: readonly string[] = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"],
  ...["CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"],
  "CAP_AUDIT_WRITE",
];

/** They show the host, or let one act on it. */
const maskedPaths = [
  ...["/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"],
  ...["/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"],
  // Where the kernel's and everybody's memory lies: the host's root may read it, who without a user namespace is ours.
  ...["/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/pagetypeinfo", "/proc/slabinfo"],
  ...["/proc/vmallocinfo", "/proc/vmcore", "/sys/firmware", "/sys/devices/virtual/powercap"],
];
const readonlyPaths = [
  ...["/proc/bus", "/proc/dynamic_debug", "/proc/fs", "/proc/irq", "/proc/pressure", "/proc/sys"],
  "/proc/sysrq-trigger",
];

export function ociSpec(request: SpecRequest): OciSpec {
  const { network, host } = request;
  const mapping = network.userns === undefined ? undefined : [{ containerID: 0, hostID: network.base, size: idCount }];
  return {
    ociVersion: "1.0.2",
    root: { path: request.root, readonly: false },
    hostname: request.hostname,
    process: ociProcess(request, host),
    mounts: [...systemMounts(request.memoryMib), ...[initBind(host), ...request.binds].map(bindMount)],
    linux: {
      namespaces: namespaces(network),
      // Beside the path: runc 1.1 needs to know who root is although the namespace has its map already.
      ...(mapping === undefined ? {} : { uidMappings: mapping, gidMappings: mapping }),
      cgroupsPath: request.cgroupsPath,
      // runc adds null, zero, full, random, urandom, tty and the terminals.
      resources: { devices: [{ allow: false, access: "rwm" }] },
      // What the worker mounts below the root later appears inside; nothing that is mounted inside appears outside.
      rootfsPropagation: "rslave",
      maskedPaths: [...new Set([...maskedPaths, ...host.filesOfRoot])],
      readonlyPaths,
      seccomp: seccompProfile(host.processor),
    },
  };
}

/** The container's first process is its init. */
function ociProcess({ process, oomScoreAdj }: SpecRequest, host: SpecHost): OciProcess {
  return execProcess({ ...process, argv: [initPath, ...initArguments, ...process.argv] }, { oomScoreAdj, host });
}

/** What runs in a container has the same rights, whether it is the first process or comes later. */
export function execProcess(
  process: ProcessSpec,
  { oomScoreAdj, host }: Pick<SpecRequest, "oomScoreAdj"> & { host: Pick<SpecHost, "maxOpenFiles"> },
): OciProcess {
  const files = Math.min(maxOpenFiles, host.maxOpenFiles);
  const { terminal } = process;
  return {
    terminal: terminal !== undefined,
    ...(terminal && { consoleSize: { height: terminal.rows, width: terminal.columns } }),
    user: userOf(process.user),
    args: process.argv,
    env: Object.entries(process.env).map(([name, value]) => `${name}=${value}`),
    cwd: process.cwd,
    capabilities: {
      bounding: containerCapabilities,
      effective: containerCapabilities,
      permitted: containerCapabilities,
    },
    rlimits: [
      { type: "RLIMIT_CORE", hard: 1, soft: 1 }, // not 0: see seccomp.ts
      { type: "RLIMIT_NOFILE", hard: files, soft: files },
    ],
    noNewPrivileges: true,
    oomScoreAdj,
  };
}

function userOf(account: Account | undefined): OciProcess["user"] {
  if (account === undefined) return { uid: 0, gid: 0 };
  return { uid: account.uid, gid: account.gid, additionalGids: account.groups };
}

function namespaces(network: SpecRequest["network"]): OciLinux["namespaces"] {
  return [
    ...["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
    ...(network.userns === undefined ? [] : [{ type: "user", path: network.userns }]),
    { type: "network", path: network.netns },
  ];
}

function systemMounts(memoryMib: number | undefined): OciMount[] {
  const closed = ["nosuid", "noexec", "nodev"];
  const mount = (destination: string, type: string, source: string, ...options: string[]): OciMount => {
    return { destination, type, source, options };
  };
  // What lies in shared memory counts as the container's memory; without a limit the kernel's is half of the host's.
  const shared = memoryMib === undefined ? [] : [`size=${memoryMib * mib}`];
  return [
    mount("/proc", "proc", "proc", ...closed),
    mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    mount("/dev/shm", "tmpfs", "shm", ...closed, "mode=1777", ...shared),
    mount("/dev/mqueue", "mqueue", "mqueue", ...closed),
    // Fresh ones, not the host's: with interfaces and control groups of the container's own alone.
    mount("/sys", "sysfs", "sysfs", ...closed, "ro"),
    mount("/sys/fs/cgroup", "cgroup", "cgroup", ...closed, "relatime", "ro"),
  ];
}

const initBind = (host: SpecHost): SpecBind => ({ source: host.init, path: initPath, executable: true });

/**
 * Mount flags that the source's file system has on the host cannot be taken off in a user namespace, so all that can be
 * done without are set: hosts mount /run, where our own files lie, with the three of them.
 */
function bindMount({ source, path, executable }: SpecBind): OciMount {
  const options = ["bind", "ro", "nosuid", "nodev", ...(executable ? [] : ["noexec"])];
  return { destination: path, type: "bind", source, options };
}

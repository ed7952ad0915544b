/** What shuts a container in, guard by guard, each with what takes it away: a check that cannot fail shows nothing. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";

import type { OciSpec } from "@lydian/worker/src/runtime/runc/oci-spec";

type Amend = (spec: OciSpec) => OciSpec;

const linux = (spec: OciSpec, parts: Partial<OciSpec["linux"]> & { devices?: object[] }): OciSpec => ({
  ...spec,
  linux: { ...spec.linux, ...parts },
});
const hasUserNamespace = (spec: OciSpec): boolean => spec.linux.namespaces.some(({ type }) => type === "user");

const withoutNamespace = (kind: string, spec: OciSpec): OciSpec =>
  linux(spec, { namespaces: spec.linux.namespaces.filter(({ type }) => type !== kind) });

const withoutMounts = (spec: OciSpec, under: string): OciSpec => ({
  ...spec,
  mounts: spec.mounts.filter(({ destination }) => !`${destination}/`.startsWith(`${under}/`)),
});

function mounts(spec: OciSpec, change: (mount: OciSpec["mounts"][number]) => OciSpec["mounts"][number]): OciSpec {
  return { ...spec, mounts: spec.mounts.map(change) };
}

const writable = (spec: OciSpec, which: (mount: OciSpec["mounts"][number]) => boolean): OciSpec =>
  mounts(spec, (mount) =>
    which(mount) ? { ...mount, options: mount.options.filter((option) => option !== "ro") } : mount,
  );

const capabilityNames = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
  SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
  MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`.split(/\s+/);

/** Nobody can be given more than this host's root has. */
export const hostCapabilities: readonly string[] = (() => {
  const bits = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0"}`);
  return capabilityNames.filter((_, bit) => (bits >> BigInt(bit)) & 1n).map((name) => `CAP_${name}`);
})();

/** Taken away, one by one, by a change of config.json. */
const amendments = {
  /** The table of system calls. */
  seccomp: (spec) => {
    const { seccomp: _, ...rest } = spec.linux;
    return { ...spec, linux: rest as OciSpec["linux"] };
  },
  /** No more capabilities than the fourteen. */
  capabilities: (spec) => {
    const all = hostCapabilities;
    return {
      ...spec,
      process: { ...spec.process, capabilities: { bounding: all, effective: all, permitted: all } },
    };
  },
  noNewPrivileges: (spec) => ({ ...spec, process: { ...spec.process, noNewPrivileges: false } }),
  coreLimit: (spec) => {
    const rlimits = spec.process.rlimits.filter(({ type }) => type !== "RLIMIT_CORE");
    return { ...spec, process: { ...spec.process, rlimits } };
  },
  maskedPaths: (spec) => linux(spec, { maskedPaths: [] }),
  readonlyPaths: (spec) => linux(spec, { readonlyPaths: [] }),
  /** The filter of device nodes. */
  devices: (spec) => linux(spec, { resources: { devices: [{ allow: true, access: "rwm" }] } }),
  /** None of the host's devices is shown. */
  noHostDevices: (spec) => linux(spec, { devices: [{ path: "/dev/kmsg", type: "c", major: 1, minor: 11 }] }),
  /** /sys and the control groups are read-only. */
  readonlySys: (spec) => writable(spec, ({ destination }) => destination.startsWith("/sys")),
  /** What is shown to the container is read-only. */
  readonlyBinds: (spec) => writable(spec, ({ type }) => type === "bind"),
  /** The folder of its door has no other in it. */
  doorFolder: (spec) =>
    mounts(spec, (mount) =>
      mount.destination === "/run/lydian/door" ? { ...mount, source: dirname(mount.source) } : mount,
    ),
  /** /dev/shm is its own. */
  sharedMemory: (spec) =>
    mounts(spec, (mount) =>
      mount.destination === "/dev/shm"
        ? { destination: "/dev/shm", type: "bind", source: "/dev/shm", options: ["bind", "nosuid", "nodev", "noexec"] }
        : mount,
    ),
  processNamespace: (spec) => {
    const amended = withoutNamespace("pid", spec);
    // A fresh /proc can be had only of a process namespace of one's own user namespace.
    return hasUserNamespace(spec)
      ? mounts(amended, (mount) =>
          mount.destination === "/proc"
            ? { destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] }
            : mount,
        )
      : amended;
  },
  ipcNamespace: (spec) => {
    const amended = withoutNamespace("ipc", spec);
    return hasUserNamespace(spec) ? withoutMounts(amended, "/dev/mqueue") : amended;
  },
  hostNameNamespace: (spec) => ({ ...withoutNamespace("uts", spec), hostname: "" }),
  cgroupNamespace: (spec) => withoutNamespace("cgroup", spec),
  networkNamespace: (spec) => {
    const amended = withoutNamespace("network", spec);
    // As with /proc.
    return hasUserNamespace(spec) ? withoutMounts(amended, "/sys") : amended;
  },
} satisfies Record<string, Amend>;

/** `userNamespace` is taken away by a platform that makes none. */
export type Guard = keyof typeof amendments | "userNamespace";

export const takeAway =
  (guards: Iterable<Guard>): Amend =>
  (spec) =>
    [...guards].reduce((amended, guard) => (guard === "userNamespace" ? amended : amendments[guard](amended)), spec);

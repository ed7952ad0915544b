/** The kernel and this process' rights on it. */
import { readFile } from "node:fs/promises";
import { release } from "node:os";

import { hasCode } from "@lydian/kit";

import { type Finding, missing, ok, type Probed, warning } from "./finding.ts";

export interface KernelVersion {
  readonly release: string;
  readonly major: number;
  readonly minor: number;
}

/** Runs containers as described; proven on 6.1 and 6.18. */
const proven = [6, 1] as const;
/** Has every system call that is used without an alternative; the newest is mount_setattr (5.12), cgroup.kill is 5.14. */
const oldest = [5, 15] as const;

export function probeKernel(text: string = release()): Probed<KernelVersion> {
  const [major = 0, minor = 0] = text.split(/[.-]/).map(Number);
  const isBefore = ([a, b]: readonly [number, number]): boolean => major < a || (major === a && minor < b);
  const remedy = `use a distribution with Linux ${proven.join(".")} or newer, such as Debian 12`;
  const judge = (): Finding => {
    if (isBefore(oldest)) return missing(`Linux ${text}, and ${oldest.join(".")} is needed`, remedy);
    if (isBefore(proven)) return warning(`Linux ${text} is older than what containers were tried on`, remedy);
    return ok(`Linux ${text}`);
  };
  return { value: { release: text, major, minor }, finding: { name: "Kernel", ...judge() } };
}

/** Numbers of linux/capability.h: what the worker and runc do needs these. */
const capabilities = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  FOWNER: 3,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_ADMIN: 12,
  SYS_CHROOT: 18,
  SYS_ADMIN: 21,
  MKNOD: 27,
  SETFCAP: 31,
};

/** `status` is /proc/self/status. */
export function judgeRights(status: string, uid: number): Probed<boolean> {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const lacks = Object.entries(capabilities)
    .filter(([, number]) => ((effective >> BigInt(number)) & 1n) === 0n)
    .map(([name]) => `CAP_${name}`);
  const judge = (): Finding => {
    if (uid !== 0) return missing(`this is user ${uid}, and containers need root`, "run it as root, or with sudo");
    if (lacks.length === 0) return ok("root");
    const remedy = "run it on the host itself, or in a container with all privileges";
    return missing(`root without ${lacks.join(", ")}`, remedy);
  };
  const finding = judge();
  return { value: finding.state === "ok", finding: { name: "Rights", ...finding } };
}

export async function probeRights(): Promise<Probed<boolean>> {
  return judgeRights(await readFile("/proc/self/status", "utf8"), process.getuid?.() ?? -1);
}

export async function probeSeccomp(): Promise<Probed<boolean>> {
  const actions = await textIfThere("/proc/sys/kernel/seccomp/actions_avail");
  const value = actions?.split(/\s+/).includes("errno") === true;
  const finding = value
    ? ok("system calls can be filtered")
    : missing("the kernel cannot filter system calls", "use a kernel with CONFIG_SECCOMP_FILTER");
  return { value, finding: { name: "Seccomp", ...finding } };
}

/** Nothing where it does not enforce, which is almost everywhere. */
export async function probeSelinux(): Promise<Probed<boolean> | undefined> {
  if ((await textIfThere("/sys/fs/selinux/enforce"))?.trim() !== "1") return undefined;
  const remedy = "if containers cannot read their files, try `setenforce 0` and report what `ausearch -m avc` shows";
  return {
    value: true,
    finding: { name: "SELinux", ...warning("enforces, and containers were not tried so", remedy) },
  };
}

export async function textIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES", "ENOTDIR")) return undefined;
    throw error;
  }
}

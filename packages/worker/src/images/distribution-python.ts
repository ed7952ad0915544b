/** The layer with the release's own Python, for a host that has no other: under /usr, but found where images have theirs. */
import { chmod, mkdir, readdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

import type { Layer } from "../layers/index.ts";
import { emptyPackageCaches } from "./debian.ts";
import type { LayerRecipe, LayerWork } from "./layer-builds.ts";
import { layerId } from "./layer-id.ts";
import type { PackageSettings } from "./package-settings.ts";
import { PrivateRoot } from "./private-root.ts";
import { checkPython } from "./python-check.ts";

export function distributionPythonRecipe(
  base: LayerRecipe,
  release: { codename: string; python: string },
  settings: () => Promise<PackageSettings>,
): LayerRecipe {
  return {
    id: layerId(`${release.codename}-python`, ["distribution-python", base.id]),
    fill: async (work, below) => fill(work, below, release.python, await settings()),
  };
}

async function fill(work: LayerWork, below: readonly Layer[], minor: string, settings: PackageSettings): Promise<void> {
  const { steps, signal } = work;
  const root = await PrivateRoot.make(
    work.scratch,
    below.map(({ diff }) => diff),
    settings,
  );
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await steps.run(
    `Installing the distribution's Python ${minor}`,
    `Installed the distribution's Python ${minor}`,
    async () => {
      const hint = "it takes packages from where apt on this host takes them; are they reachable (apt-get update)?";
      await root.run(["/usr/bin/apt-get", "-q", "update"], { name: "apt-get update", signal, env, hint });
      const install = ["install", "-q", "-y", "--no-install-recommends", "python3", "python3-venv"];
      await root.run(["/usr/bin/apt-get", ...install], { name: "apt-get install", signal, env, hint });
    },
  );
  await link(root.upper);
  await steps.run(`Installing pip for Python ${minor}`, `Installed pip for Python ${minor}`, () =>
    installPip(root, signal),
  );
  const found = await checkPython(root, signal);
  if (!found.startsWith(`${minor}.`)) {
    throw new PlatformError(`the package sources of this host bring Python ${found}, and ${minor} was asked for`);
  }
  await emptyPackageCaches(root.upper);
  await root.publish(work.diff);
}

/** Where images have it; and pip may install, for nobody but pip manages an image's packages. */
async function link(upper: string): Promise<void> {
  const bin = join(upper, "usr/local/bin");
  await mkdir(bin, { recursive: true });
  for (const folder of [join(upper, "usr/local"), bin]) await chmod(folder, 0o755); // whatever the umask is
  await symlink("/usr/bin/python3", join(bin, "python3"));
  await symlink("python3", join(bin, "python"));
  const library = join(upper, "usr/lib");
  for (const name of (await readdir(library)).filter((name) => /^python3\.\d+$/.test(name))) {
    await rm(join(library, name, "EXTERNALLY-MANAGED"), { force: true });
  }
}

/** Debian's ensurepip refuses to install for the whole system, but its packages bring what it would install. */
async function installPip(root: PrivateRoot, signal: AbortSignal): Promise<void> {
  const wheels = "/usr/share/python-wheels";
  const pip = (await readdir(join(root.upper, wheels))).find((name) => /^pip-.*\.whl$/.test(name));
  if (pip === undefined) throw new PlatformError(`the distribution's packages put no pip into ${wheels}`);
  const install = ["install", "--no-index", "--find-links", wheels, "pip", "setuptools"];
  await root.run(["/usr/local/bin/python", "-m", "pip", ...install], {
    name: "pip",
    signal,
    env: { PYTHONPATH: `${wheels}/${pip}`, PIP_ROOT_USER_ACTION: "ignore", PIP_CONFIG_FILE: "/dev/null" },
  });
}

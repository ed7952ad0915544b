/** The image with nothing but uv in it, made of the package index's wheel of that version. */
import { chmod, copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

import type { Interpreters } from "../runners/interpreters.ts";
import type { LayerRecipe, LayerWork, Waiting } from "./layer-builds.ts";
import { layerId } from "./layer-id.ts";
import { contained, runProgram } from "./run-program.ts";

const flags = ["--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary", ":all:"];
const hint =
  "uv comes from the package index that pip is configured for on this host; is it reachable, and has it that version?";

/** `version`: absent for the newest, which is asked for here, since a layer is named by what is in it. */
export async function uvRecipe(
  version: string | undefined,
  interpreters: Interpreters,
  waiting: Waiting,
): Promise<LayerRecipe> {
  const { program } = await interpreters.any();
  const exact = version ?? (await newest(program, waiting.signal));
  return {
    id: layerId(`uv-${exact}`, ["uv", exact, process.arch]),
    fill: (work) =>
      work.steps.run(`Fetching uv ${exact} from the package index`, `Fetched uv ${exact}`, () =>
        fill(program, exact, work),
      ),
  };
}

async function newest(python: string, signal: AbortSignal): Promise<string> {
  const args = ["install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-", ...flags, "uv"];
  const report: unknown = JSON.parse(await pip(python, args, signal));
  const { install } = report as { install?: { metadata?: { version?: unknown } }[] };
  const version = install?.[0]?.metadata?.version;
  if (typeof version !== "string" || !/^[\w.]+$/.test(version)) {
    throw new PlatformError("the package index does not say which version of uv is the newest", { hint });
  }
  return version;
}

async function fill(python: string, version: string, { diff, scratch, signal }: LayerWork): Promise<void> {
  const [wheels, unpacked] = [join(scratch, "wheels"), join(scratch, "unpacked")];
  await pip(python, ["download", "--quiet", "--dest", wheels, ...flags, `uv==${version}`], signal);
  const wheel = (await readdir(wheels)).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) throw new PlatformError(`the package index gave no wheel of uv ${version}`, { hint });
  await mkdir(unpacked);
  await run(python, ["-m", "zipfile", "-e", join(wheels, wheel), unpacked], signal);
  for (const name of ["uv", "uvx"]) {
    await copyFile(join(unpacked, `uv-${version}.data`, "scripts", name), join(diff, name));
    await chmod(join(diff, name), 0o755);
  }
}

const pip = (python: string, args: readonly string[], signal: AbortSignal): Promise<string> =>
  run(python, ["-m", "pip", ...args], signal);

/** With the worker's own environment, so that the host's proxies, indexes and certificates apply. */
function run(python: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return runProgram(contained([python, ...args], "host"), { env, name: `pip of ${python}`, signal, hint });
}

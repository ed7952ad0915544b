/** The unmodified public Python clients, where set-up has put them: their command line, and scripts that use them. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { type Platform, repositoryRoot } from "./platform.ts";
import { Program, type ProgramOptions } from "./program.ts";

interface Clients {
  python: string[];
}

/** Oldest first. */
export const clientVersions: readonly string[] = (
  JSON.parse(readFileSync(join(repositoryRoot, "packages", "contract", "clients.json"), "utf8")) as Clients
).python.toSorted(new Intl.Collator("en", { numeric: true }).compare);

export const newestClient: string = clientVersions.at(-1) ?? "";

/** Those that tests are run with: the newest, or the one that `LYDIAN_CLIENTS` names, or with `all` every one. */
export const testedClients: readonly string[] = testedOf(process.env["LYDIAN_CLIENTS"] || newestClient);

function testedOf(wanted: string): readonly string[] {
  const found = clientVersions.filter((version) => wanted === "all" || version === wanted);
  if (found.length === 0) throw new Error(`LYDIAN_CLIENTS is ${wanted}; the clients are ${clientVersions.join(", ")}`);
  return found;
}

/** Where set-up puts the programs of a version's virtual environment. */
function programsOf(version: string): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const venvs = process.env["LYDIAN_VENVS"] || join(cache, "lydian", "venvs");
  return join(venvs, `modal-${version}`, "bin");
}

/** Why tests with this version cannot run here, or false. */
export function missingClient(version: string): string | false {
  if (existsSync(clientProgram(version, "modal"))) return false;
  return `the Python client ${version} is not installed: node scripts/setup.mjs --clients`;
}

/** The path of a version's `modal` command or of its Python. */
export function clientProgram(version: string, program: "modal" | "python"): string {
  return join(programsOf(version), program);
}

/** Has the module that makes Python print whole lines at once. */
const wholeLines = join(import.meta.dirname, "..", "python");

/** What a client has to know of a platform. */
type Reachable = Pick<Platform, "env">;

/** Runs the `modal` command of a version against a platform. */
export function modal(
  platform: Reachable,
  version: string,
  args: readonly string[],
  options?: ProgramOptions,
): Program {
  return new Program(clientProgram(version, "modal"), args, forClient(platform, options));
}

/** Runs Python with a version's client. */
export function python(
  platform: Reachable,
  version: string,
  args: readonly string[],
  options?: ProgramOptions,
): Program {
  return new Program(clientProgram(version, "python"), args, forClient(platform, options));
}

function forClient(platform: Reachable, options: ProgramOptions = {}): ProgramOptions {
  const env = {
    ...platform.env,
    PYTHONDONTWRITEBYTECODE: "1",
    COLUMNS: "240", // the client breaks longer lines at 80 otherwise
    ...options.env,
    PYTHONPATH: [wholeLines, options.env?.["PYTHONPATH"]].filter((entry) => entry !== undefined).join(":"),
  };
  return { cwd: repositoryRoot, ...options, env };
}

/** The same test for each version of the client. */
export function testEachClient(
  title: string,
  story: (version: string) => Promise<void>,
  versions: readonly string[] = testedClients,
): void {
  for (const version of versions) {
    test(`${title} (${version})`, { skip: missingClient(version) }, () => story(version));
  }
}

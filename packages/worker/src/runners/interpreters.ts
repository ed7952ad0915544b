/** The Pythons of this host, by minor version. */
import { execFile } from "node:child_process";
import { access, constants, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

import { hasCode, PlatformError } from "@lydian/kit";

const run = promisify(execFile);

export interface Interpreter {
  /** The program itself, never a shim that chooses one anew on each start. */
  program: string;
  /** Such as "3.11". */
  minor: string;
}

/** The question that tells a shim from the real thing: who runs in the end, and which version is it? */
const question = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)";

/** Our keeper needs no later one. */
const oldestMinor = 8;

export class Interpreters {
  readonly #folders: () => Promise<string[]>;
  readonly #asked = new Map<string, Promise<Interpreter | undefined>>();

  /** `folders` says where to look, first come first served. */
  constructor(folders: () => Promise<string[]> = hostFolders) {
    this.#folders = folders;
  }

  /** The interpreter of a minor version such as "3.11". */
  async find(minor: string): Promise<Interpreter> {
    for (const program of await this.#named(`python${minor}`, "python3")) {
      const interpreter = await this.#ask(program);
      if (interpreter?.minor === minor) return interpreter;
    }
    const minors = await this.#minors();
    const found = minors.length === 0 ? "has no Python 3" : `has ${minors.join(", ")}`;
    throw new PlatformError(`there is no Python ${minor} on this host; it ${found}`, {
      hint: `install Python ${minor} so that python${minor} is on the worker's PATH, or choose a version that is there`,
    });
  }

  /** Any interpreter that can run our own scripts; the distribution's first, which starts quicker than most. */
  async any(): Promise<Interpreter> {
    const programs = await this.#named("python3", /^python3\.\d+$/);
    for (const program of programs.sort((a, b) => Number(isSystems(b)) - Number(isSystems(a)))) {
      const interpreter = await this.#ask(program);
      if (interpreter !== undefined && Number(interpreter.minor.slice(2)) >= oldestMinor) return interpreter;
    }
    throw new PlatformError(`this host has no Python 3.${oldestMinor} or newer`, { hint: "install python3" });
  }

  async #minors(): Promise<string[]> {
    const programs = await this.#named("python3", /^python3\.\d+$/);
    const answers = await Promise.all(programs.map((program) => this.#ask(program)));
    const minors = new Set(answers.flatMap((answer) => (answer === undefined ? [] : [answer.minor])));
    return [...minors].sort((a, b) => Number(a.slice(2)) - Number(b.slice(2)));
  }

  /** Programs with these names, those with the first name first. */
  async #named(...names: (string | RegExp)[]): Promise<string[]> {
    const folders = await this.#folders();
    const listings = await Promise.all(folders.map(async (folder) => ({ folder, entries: await list(folder) })));
    return names.flatMap((name) =>
      listings.flatMap(({ folder, entries }) =>
        entries
          .filter((entry) => (typeof name === "string" ? entry === name : name.test(entry)))
          .map((entry) => join(folder, entry)),
      ),
    );
  }

  /** Asks a program once who it is; undefined when it does not answer, as a shim of a version that is switched off. */
  #ask(program: string): Promise<Interpreter | undefined> {
    const asked = this.#asked.get(program) ?? ask(program);
    this.#asked.set(program, asked);
    return asked;
  }
}

function isSystems(program: string): boolean {
  return dirname(program) === "/usr/bin";
}

async function ask(program: string): Promise<Interpreter | undefined> {
  try {
    const { stdout } = await run(program, ["-I", "-S", "-c", question], { cwd: "/", timeout: 10_000 });
    const [minor, executable] = stdout.trim().split("\n");
    if (minor === undefined || executable === undefined) return undefined;
    await access(executable, constants.X_OK);
    return { program: executable, minor };
  } catch {
    return undefined; // whatever the reason, this program cannot run a function
  }
}

/** PATH as the user ordered it (a shim on it answers for the version that it chooses), pyenv's versions, the usual places. */
async function hostFolders(): Promise<string[]> {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
  const versions = join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions");
  const pyenv = (await list(versions)).map((version) => join(versions, version, "bin"));
  return [...new Set([...path, ...pyenv, "/usr/bin", "/usr/local/bin"])];
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES")) return [];
    throw error;
  }
}

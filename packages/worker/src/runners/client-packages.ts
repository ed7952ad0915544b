/**
 * The public client's package and its dependencies, per client version and Python minor, installed once by pip and
 * shared by all containers and all platforms of this user. They lie apart: the client comes first on the path of a
 * container's Python, its dependencies last, so that whatever the user has installed wins over them.
 */
import { type ChildProcess, execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Clock, lockWithin, type Logger, PlatformError, removeBelow, syncFolder } from "@lydian/kit";

import { SharedWork, unlessAborted } from "../shared-work.ts";
import type { Interpreter, Interpreters } from "./interpreters.ts";

/** How long another process may take that installs the same. */
const patienceMs = 10 * 60_000;

/** What is over sooner is not worth a line in the container's log. */
const silentMs = 1000;

/** How many of pip's last lines go into the message of a failure. */
const shownLines = 15;

export interface ClientPackage {
  /** The client's own packages, and what makes Python find the others. */
  readonly own: string;
  readonly dependencies: string;
}

/** What the client itself consists of; all else that pip installs is a dependency. */
const ownPackages = ["modal", "modal_proto", "modal_version", "synchronicity"];

/** Where a container is shown the dependencies, relative to the folder that holds the client. */
export const dependenciesBeside = "__modal/deps";

/** Python runs it before anything else; its first words say what it does. */
const sitecustomize = fileURLToPath(new URL("../../starter/sitecustomize.py", import.meta.url));

export class ClientPackages {
  readonly #folder: string;
  readonly #interpreters: Pick<Interpreters, "find">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #installing = new SharedWork<void>();
  readonly #closed = new AbortController();

  constructor(options: { cache: string; interpreters: Pick<Interpreters, "find">; clock: Clock; logger: Logger }) {
    this.#interpreters = options.interpreters;
    this.#folder = join(options.cache, "clients", "4"); // the fourth layout of these folders
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** The client of a version for a Python minor such as "3.11". `say` gets a line for people when it takes a while. */
  async find(
    version: string,
    minor: string,
    waiting: { say: (line: string) => void; signal: AbortSignal },
  ): Promise<ClientPackage> {
    // They become part of paths and of pip's arguments.
    if (!/^\d+\.\d+\.\d+([a-z0-9.]*)?$/.test(version)) {
      throw new PlatformError(`${JSON.stringify(version)} is no version of the client`);
    }
    if (!/^\d+\.\d+$/.test(minor)) throw new PlatformError(`${JSON.stringify(minor)} is no version of Python`);
    const name = `modal-${version}-py${minor}`;
    const folder = join(this.#folder, name);
    const found = { own: join(folder, "own"), dependencies: join(folder, "dependencies") };
    if (await exists(folder)) return found;
    const interpreter = await this.#interpreters.find(minor);
    const what = `the client ${version} for Python ${minor}`;
    const beganMs = this.#clock.now();
    let said = false;
    using _timer = this.#clock.timer(silentMs, () => {
      said = true;
      waiting.say(`Installing ${what} …`);
    });
    await unlessAborted(
      this.#installing.run(name, () => this.#install(name, version, interpreter)),
      waiting.signal,
    );
    if (said) waiting.say(`Installed ${what} in ${((this.#clock.now() - beganMs) / 1000).toFixed(1)} s`);
    return found;
  }

  /** Ends installations that are under way. */
  close(): void {
    this.#closed.abort(new PlatformError("the worker ends"));
  }

  async #install(name: string, version: string, interpreter: Interpreter): Promise<void> {
    const folder = join(this.#folder, name);
    await mkdir(this.#folder, { recursive: true, mode: 0o755 });
    const lockFile = join(this.#folder, `.${name}.lock`);
    using _lock = await unlessAborted(lockWithin(this.#clock, lockFile, patienceMs), this.#closed.signal);
    if (await exists(folder)) return;
    await this.#removeUnfinished(name);
    const work = await mkdtemp(join(this.#folder, `.${name}.tmp-`));
    try {
      const whole = join(work, "client");
      const target = join(whole, "dependencies");
      await mkdir(whole, { mode: 0o755 });
      const pip = await this.#pip(interpreter, work);
      this.#logger.info({ client: version, python: interpreter.program }, "installing a client");
      await this.#run(pip, [
        ...["-m", "pip", "install", "--target", target, "--no-input", "--disable-pip-version-check"],
        ...["--no-warn-script-location", "--progress-bar", "off", `modal==${version}`],
      ]);
      // pip compiles unless it is configured not to; what is compiled already is passed over. Then all goes to disk, for
      // a package that a power cut left half empty would be taken for whole from then on.
      await this.#run(interpreter.program, ["-m", "compileall", "-q", "-j", "0", target], "ignore failure");
      await this.#run(interpreter.program, ["-I", "-c", "import os; os.sync()"]);
      await setApart(target, join(whole, "own"));
      await rename(whole, folder);
      await syncFolder(this.#folder);
    } finally {
      await removeBelow(this.#folder, work);
    }
  }

  /** Left by a worker that was killed; the lock says that nobody works on it. */
  async #removeUnfinished(name: string): Promise<void> {
    for (const entry of await readdir(this.#folder)) {
      if (entry.startsWith(`.${name}.tmp-`)) await removeBelow(this.#folder, join(this.#folder, entry));
    }
  }

  /** A Python of the same minor that has pip: the interpreter itself, else a virtual environment of it. */
  async #pip(interpreter: Interpreter, work: string): Promise<string> {
    try {
      await this.#run(interpreter.program, ["-m", "pip", "--version"]);
      return interpreter.program;
    } catch (error) {
      this.#closed.signal.throwIfAborted();
      this.#logger.debug({ err: error, python: interpreter.program }, "has no pip of its own");
    }
    const environment = join(work, "venv");
    try {
      await this.#run(interpreter.program, ["-m", "venv", environment]);
    } catch (error) {
      throw new PlatformError(`${interpreter.program} has neither pip nor ensurepip`, {
        hint: `install pip for Python ${interpreter.minor} (Debian: apt install python3-pip python3-venv)`,
        cause: error,
      });
    }
    return join(environment, "bin", "python");
  }

  /** Runs with the worker's own environment, so that the host's proxies, indexes and certificates apply. */
  async #run(program: string, args: readonly string[], failure?: "ignore failure"): Promise<void> {
    const { signal } = this.#closed;
    await new Promise<void>((resolve, reject) => {
      const options = { cwd: "/", signal, maxBuffer: 64 * 1024 * 1024 };
      const child: ChildProcess = execFile(program, args, options, (error, stdout, stderr) => {
        if (error === null || failure !== undefined) return resolve();
        const output = `${stdout}\n${stderr}`.trim().split("\n").slice(-shownLines).join("\n");
        const command = `${program} ${args.slice(0, 3).join(" ")}`;
        reject(new PlatformError(`${command} failed:\n${output}`, { hint: pipHint, cause: error }));
      });
      child.stdin?.end();
    });
  }
}

/** Moves the client's own packages out from among its dependencies. */
async function setApart(dependencies: string, own: string): Promise<void> {
  await mkdir(own, { mode: 0o755 });
  for (const name of ownPackages) {
    if (await exists(join(dependencies, name))) await rename(join(dependencies, name), join(own, name));
  }
  await writeFile(join(own, "sitecustomize.py"), await readFile(sitecustomize), { mode: 0o644 });
}

const pipHint = "the client comes from the package index that pip is configured for on this host; is it reachable?";

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

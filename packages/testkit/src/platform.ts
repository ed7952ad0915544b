/** The real platform, `lydian up` in a temporary folder on a free port: for stories with the real clients. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

import { type HostNames, hostNames, hostTraces } from "./host-traces.ts";
import { type ProcessEntry, isRunning, listProcesses, readProcess, touches } from "./process-table.ts";
import { Program, type ProgramEnd } from "./program.ts";
import { until, within } from "./within.ts";

/** Of the checkout. */
export const repositoryRoot = join(import.meta.dirname, "..", "..", "..");

export type Role = "supervisor" | "server" | "worker";

/** One function's main process, as the host sees it: inside its container it has another number. */
export interface FunctionProcess extends ProcessEntry {
  containerId: string;
}

export type RuntimeName = "runc" | "process";

export interface PlatformOptions {
  /** A folder that a platform had before; without it a new one, which goes when the platform is disposed of. */
  data?: string;
  /** What runs functions; without it what `lydian up` itself takes, where this machine can run that. */
  runtime?: RuntimeName;
  /** Warm starters of each kind; 0 unless it is said, for most tests look at what is started. */
  starters?: number;
  /** More arguments of `lydian up`. */
  args?: readonly string[];
  /** Whose `lydian` is run: another checkout than this one, of which set-up is done. */
  checkout?: string;
  /** Flags of node for all its processes, such as those that make a profile. */
  nodeArgs?: readonly string[];
  /** The server's times that are to be shorter than usual, in milliseconds (packages/server/src/config.ts). */
  times?: Readonly<Record<string, number>>;
}

/** Containers, where this machine can run them. */
export const usualRuntime: RuntimeName =
  process.getuid?.() === 0 && ["runc", "conmon", "tini-static", "nft"].every((name) => isOnPath(name))
    ? "runc"
    : "process";

function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, program)));
}

/** What a process of the platform may take to start, or to end when it is told to. */
const patienceMs = 30_000;

export class Platform implements AsyncDisposable {
  /** Such as http://127.0.0.1:40123. */
  readonly url: string;
  readonly data: string;
  readonly runtime: RuntimeName;
  readonly #program: Program;
  readonly #ownsFolder: boolean;
  /** What it is known by on this host. */
  readonly names: HostNames;
  /** Server and worker are children of the supervisor, so that what it had is still known when it is dead. */
  readonly #seen = new Map<Role, ProcessEntry>();

  private constructor(
    program: Program,
    data: string,
    { runtime, ownsFolder }: { runtime: RuntimeName; ownsFolder: boolean },
  ) {
    this.#program = program;
    this.data = data;
    this.runtime = runtime;
    this.#ownsFolder = ownsFolder;
    this.names = hostNames(data);
    this.url = /^Lydian is ready at (\S+)$/m.exec(program.stdout)?.[1] ?? "";
  }

  static async start(options: PlatformOptions = {}): Promise<Platform> {
    const { runtime = usualRuntime } = options;
    const data = options.data ?? (await mkdtemp(join(tmpdir(), "lydian-test-")));
    const program = runLydian(
      [...upArgs(data, runtime, options.starters), ...(options.args ?? [])],
      {
        ...(options.times && { LYDIAN_TIMES: JSON.stringify(options.times) }),
      },
      options,
    );
    try {
      await program.sees(/^Lydian is ready at \S+$/m, patienceMs);
      return new Platform(program, data, { runtime, ownsFolder: options.data === undefined });
    } catch (error) {
      await program[Symbol.asyncDispose]();
      if (options.data === undefined) await rm(data, { recursive: true, force: true });
      throw error;
    }
  }

  /** For programs that are clients of this platform: the present environment without anything that names another one. */
  get env(): NodeJS.ProcessEnv {
    return { ...cleanEnvironment(), MODAL_CONFIG_PATH: join(this.data, "profile.toml") };
  }

  /** All that its processes have written. */
  get log(): string {
    return this.#program.output;
  }

  /** The process that has this role now; undefined in the moment between its death and its successor's start. */
  process(role: Role): ProcessEntry | undefined {
    const entry = listProcesses().find((candidate) =>
      role === "supervisor"
        ? candidate.pid === this.#program.pid
        : candidate.parent === this.#program.pid &&
          candidate.command.some((word) => word.includes(`/packages/${role}/`)),
    );
    if (entry !== undefined) this.#seen.set(role, entry);
    return entry;
  }

  /** The main processes of functions. */
  functions(): FunctionProcess[] {
    return listProcesses().flatMap((entry) => {
      const [, second = "", third] = entry.command;
      const isMain = (second === "-m" && third === "modal._container_entrypoint") || second.endsWith("/starter.py");
      const containerId = this.#containerOf(entry.environment.get("MODAL_TASK_ID") ?? "");
      return isMain && containerId !== undefined ? { ...entry, containerId } : [];
    });
  }

  /** All processes of a function's container: its main one, and what that has started. */
  processesOf({ containerId }: FunctionProcess): ProcessEntry[] {
    return listProcesses().filter(({ environment }) => environment.get("MODAL_TASK_ID") === containerId);
  }

  /** The process that outlives the worker beside a function, and writes down its log and its end. */
  keeperOf(entry: ProcessEntry): ProcessEntry | undefined {
    const parent = readProcess(entry.parent);
    const isKeeper = parent?.command.some((word) => /\/(?:conmon|keeper\.py)$/.test(word)) ?? true;
    return isKeeper || parent === undefined ? parent : this.keeperOf(parent);
  }

  /** What it has on this host beside its folder; nothing, when functions are plain processes. */
  async traces(): Promise<string[]> {
    return this.runtime === "runc" ? await hostTraces(this.names) : [];
  }

  /** Kills the process that has this role now; answers which that was. */
  async kill(role: Role, signal: NodeJS.Signals = "SIGKILL"): Promise<ProcessEntry> {
    for (const each of ["server", "worker"] as const) this.process(each); // to know them when the supervisor is dead
    const entry = await until(
      patienceMs,
      () => this.process(role),
      () => this.describe(`there is no ${role}`),
    );
    process.kill(entry.pid, signal);
    return entry;
  }

  /** Waits until another process than this one has the role. */
  async replaced(role: Role, before: ProcessEntry, withinMs = patienceMs): Promise<ProcessEntry> {
    const look = (): ProcessEntry | false => {
      const entry = this.process(role);
      return entry !== undefined && entry.pid !== before.pid && entry;
    };
    return await until(withinMs, look, () => this.describe(`the ${role} was not started again`));
  }

  /** Every process that has to do with the data folder, clients that use its profile included. */
  processes(): ProcessEntry[] {
    const own = new Set([process.pid]);
    return listProcesses().filter((entry) => {
      if (own.has(entry.pid)) return false;
      if (entry.pid === this.#program.pid || this.#isKnown(entry)) return true;
      return touches(entry, this.data) || touches(entry, this.names.instance);
    });
  }

  /** Waits for the supervisor's end, by whatever cause. */
  async ended(): Promise<ProgramEnd> {
    return await this.#program.finish(patienceMs);
  }

  /** Stops it as a service manager does, and fails if that was not clean: its exit status, and what is left of it on this host. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#program.signal(signal);
    const { code, signal: killedBy } = await within(patienceMs, this.#program.ended, () =>
      this.describe("the platform does not stop"),
    );
    const left = this.processes();
    if (code !== 0) throw new Error(this.describe(`the platform ended with ${killedBy ?? code}`));
    if (left.length > 0) throw new Error(this.describe(`the platform has left processes:\n${listing(left)}`));
    const traces = await this.traces();
    if (traces.length > 0) throw new Error(this.describe(`the platform has left on this host:\n${traces.join("\n")}`));
  }

  /** Ends everything at once, whatever state it is in, without a word about what is left. */
  async destroy(): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    const gone = (): boolean => {
      const left = this.processes();
      for (const { pid } of left) killIfThere(pid);
      return left.length === 0;
    };
    await until(patienceMs, gone, () => this.describe(`these do not end:\n${listing(this.processes())}`));
    if ((await this.traces()).length > 0) await this.#tidy();
  }

  /** A sentence with the platform's log, for errors. */
  describe(sentence: string): string {
    return `${sentence}\nThe platform's log:\n${this.log}`;
  }

  /** Stops it cleanly, unless a test has ended it in another way. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#program.end === undefined) await this.stop();
    } finally {
      await this.destroy();
      if (this.#ownsFolder) await rm(this.data, { recursive: true, force: true });
    }
  }

  /** The next platform on a folder takes away what the one before has left on the host. */
  async #tidy(): Promise<void> {
    await using next = runLydian(upArgs(this.data, this.runtime));
    await next.sees(/^Lydian is ready at \S+$/m, patienceMs);
    next.signal("SIGTERM");
    await next.finish(patienceMs);
  }

  /** By what a process was called when it was started: the container, or the starter that it was then. */
  #containerOf(startedAs: string): string | undefined {
    const folder = join(this.data, "worker", "containers");
    if (startedAs === "" || !existsSync(folder)) return undefined;
    if (existsSync(join(folder, startedAs))) return startedAs;
    return readdirSync(folder).find((id) => readIfThere(join(folder, id, "lease.json")).includes(`"${startedAs}"`));
  }

  #isKnown(entry: ProcessEntry): boolean {
    return this.#seen.values().some(({ pid, startTicks }) => pid === entry.pid && startTicks === entry.startTicks);
  }
}

/** Empty when it is gone. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "";
    throw error;
  }
}

/** Containers are the command's own default. */
function upArgs(data: string, runtime: RuntimeName, starters = 0): string[] {
  const args = ["up", "--port", "0", "--data", data, "--starters", String(starters)];
  return runtime === "process" ? [...args, "--runtime", "process"] : args;
}

/** The `lydian` command, of this checkout unless another one is named. */
export function runLydian(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  { nodeArgs = [], checkout = repositoryRoot }: Pick<PlatformOptions, "nodeArgs" | "checkout"> = {},
): Program {
  const command = join(checkout, "packages", "cli", "src", "main.ts");
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return new Program(process.execPath, [...nodeArgs, "--conditions=lydian-source", command, ...args], {
    cwd: checkout,
    env: {
      LYDIAN_REGISTRY: "none",
      NODE_COMPILE_CACHE: join(cache, "lydian", "compile"),
      ...cleanEnvironment(),
      ...env,
    },
  });
}

/** Waits until none of these runs any more. */
export async function allGone(entries: readonly ProcessEntry[], withinMs: number): Promise<void> {
  const left = (): ProcessEntry[] => entries.filter((entry) => isRunning(entry));
  await until(
    withinMs,
    () => left().length === 0,
    () => `these still run:\n${listing(left())}`,
  );
}

/** Nothing of this user's own settings may decide where a test's programs run, nor that node runs as a test's child. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:MODAL_|LYDIAN_(?!CACHE$)|NODE_TEST_CONTEXT$|NODE_OPTIONS$)/.test(name),
  );
  const direct = [process.env["NO_PROXY"] ?? process.env["no_proxy"] ?? "", "127.0.0.1", "localhost"];
  return { ...Object.fromEntries(kept), NO_PROXY: direct.filter((host) => host !== "").join(",") };
}

function listing(entries: readonly ProcessEntry[]): string {
  return entries.map(({ pid, parent, command }) => `  ${pid} (parent ${parent}): ${command.join(" ")}`).join("\n");
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

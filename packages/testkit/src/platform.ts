/** The real platform, `lydian up` in a temporary folder on a free port: for stories with the real clients. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

import { type ProcessEntry, isRunning, listProcesses, touches } from "./process-table.ts";
import { Program, type ProgramEnd } from "./program.ts";
import { until, within } from "./within.ts";

/** Of the checkout. */
export const repositoryRoot = join(import.meta.dirname, "..", "..", "..");

const command = join(repositoryRoot, "packages", "cli", "src", "main.ts");

export type Role = "supervisor" | "server" | "worker";

/** One function's main process. */
export interface FunctionProcess extends ProcessEntry {
  containerId: string;
}

export interface PlatformOptions {
  /** A folder that a platform had before; without it a new one, which goes when the platform is disposed of. */
  data?: string;
  /** What runs functions; plain processes without it, which share signs with their test through the file system. */
  runtime?: "runc" | "process";
  /** More arguments of `lydian up`. */
  args?: readonly string[];
  /** Flags of node for all its processes, such as those that make a profile. */
  nodeArgs?: readonly string[];
  /** The server's times that are to be shorter than usual, in milliseconds (packages/server/src/config.ts). */
  times?: Readonly<Record<string, number>>;
}

/** Containers where this machine can run them: for stories whose functions leave no signs on the host. */
export const usualRuntime: "runc" | "process" =
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
  readonly #program: Program;
  readonly #ownsFolder: boolean;
  /** Server and worker are children of the supervisor, so that what it had is still known when it is dead. */
  readonly #seen = new Map<Role, ProcessEntry>();

  private constructor(program: Program, data: string, ownsFolder: boolean) {
    this.#program = program;
    this.data = data;
    this.#ownsFolder = ownsFolder;
    this.url = /^Lydian is ready at (\S+)$/m.exec(program.stdout)?.[1] ?? "";
  }

  static async start(options: PlatformOptions = {}): Promise<Platform> {
    const data = options.data ?? (await mkdtemp(join(tmpdir(), "lydian-test-")));
    const program = runLydian(
      ["up", "--port", "0", "--data", data, "--runtime", options.runtime ?? "process", ...(options.args ?? [])],
      {
        ...(options.times && { LYDIAN_TIMES: JSON.stringify(options.times) }),
      },
      options.nodeArgs,
    );
    try {
      await program.sees(/^Lydian is ready at \S+$/m, patienceMs);
      return new Platform(program, data, options.data === undefined);
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
      const containerId = entry.environment.get("MODAL_TASK_ID");
      const isOurs = containerId !== undefined && existsSync(join(this.data, "worker", "containers", containerId));
      const isMain = entry.command[2] === "modal._container_entrypoint"; // its init names it as well, further on
      return containerId !== undefined && isOurs && isMain ? { ...entry, containerId } : [];
    });
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
      return (
        !own.has(entry.pid) && (entry.pid === this.#program.pid || this.#isKnown(entry) || touches(entry, this.data))
      );
    });
  }

  /** Waits for the supervisor's end, by whatever cause. */
  async ended(): Promise<ProgramEnd> {
    return await this.#program.finish(patienceMs);
  }

  /** Stops it as a service manager does, and fails if that was not clean: its exit status, and processes that are left. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#program.signal(signal);
    const { code, signal: killedBy } = await within(patienceMs, this.#program.ended, () =>
      this.describe("the platform does not stop"),
    );
    const left = this.processes();
    if (code !== 0) throw new Error(this.describe(`the platform ended with ${killedBy ?? code}`));
    if (left.length > 0) throw new Error(this.describe(`the platform has left processes:\n${listing(left)}`));
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

  #isKnown(entry: ProcessEntry): boolean {
    return this.#seen.values().some(({ pid, startTicks }) => pid === entry.pid && startTicks === entry.startTicks);
  }
}

/** The `lydian` command of this checkout. */
export function runLydian(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  nodeArgs: readonly string[] = [],
): Program {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return new Program(process.execPath, [...nodeArgs, "--conditions=lydian-source", command, ...args], {
    cwd: repositoryRoot,
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

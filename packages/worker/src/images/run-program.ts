/** Runs programs of the host that must not outlive their purpose, nor leave a process or a mount behind. */
import { spawn } from "node:child_process";

import { hasCode, PlatformError } from "@lydian/kit";

export interface ProgramOptions {
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ends the program and all that it started. */
  readonly signal: AbortSignal;
  /** For the message of a failure, such as "mmdebstrap". */
  readonly name: string;
  readonly hint?: string;
}

/** How much of what a program writes is kept, and how much of that goes into the message of a failure. */
const keptCharacters = 256 * 1024;
const shownLines = 15;

/**
 * The command in mount, pid and, where asked for, network namespaces of its own. They end with it, and it ends with the
 * worker (pdeathsig; the kernel kills the rest of a pid namespace with its first process): after kill -9 of the worker
 * no process is left that writes, and no mount.
 */
export function contained(command: readonly string[], network: "host" | "none"): [string, ...string[]] {
  const namespaces = ["--mount", "--propagation", "private", "--pid", "--kill-child", "--mount-proc"];
  const own = network === "none" ? ["--net"] : [];
  return ["setpriv", "--pdeathsig", "KILL", "unshare", ...namespaces, ...own, "--", ...command];
}

/** Answers what the program wrote to stdout; rejects with what it wrote last when it fails. */
export function runProgram(command: readonly [string, ...string[]], options: ProgramOptions): Promise<string> {
  const { signal, name, hint } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const [program, ...args] = command;
    const cwd = options.cwd ?? "/";
    const child = spawn(program, args, { cwd, env: options.env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let all = "";
    const keep = (text: string, piece: string): string => (text + piece).slice(-keptCharacters);
    child.stdout.setEncoding("utf8").on("data", (piece: string) => {
      stdout = keep(stdout, piece);
      all = keep(all, piece);
    });
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      all = keep(all, piece);
    });
    const onAbort = (): void => void child.kill("SIGKILL");
    signal.addEventListener("abort", onAbort, { once: true });
    const fail = (message: string, cause?: unknown): void => {
      const shown = hint === undefined ? {} : { hint };
      reject(new PlatformError(message, cause === undefined ? shown : { ...shown, cause }));
    };
    child.once("error", (error) => {
      signal.removeEventListener("abort", onAbort);
      if (hasCode(error, "ENOENT")) fail(`${program} is not installed`, error);
      else fail(`${name} could not be started: ${error.message}`, error);
    });
    // Not "exit": all that it started holds its pipes, so this is when the last of them has ended.
    child.once("close", (code, ended) => {
      signal.removeEventListener("abort", onAbort);
      if (signal.aborted) return reject(signal.reason as Error);
      if (code === 0) return resolve(stdout);
      const last = all.trim().split("\n").slice(-shownLines).join("\n");
      fail(`${name} failed (${ended ?? `status ${code}`})${last === "" ? "" : `:\n${last}`}`);
    });
  });
}

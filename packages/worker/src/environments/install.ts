/** Virtual environments, and packages in them: the host's own programs, run for a build. */
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { access, constants, cp, lstat, readdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

import type { Clock } from "@lydian/kit";

import { StepError } from "../builds/run-step.ts";
import type { StepCustomer } from "../builds/step-host.ts";
import { describeEnd, type ProcessEnd } from "../container/exit.ts";
import { formatRecords } from "../container/log-format.ts";
import { RootPaths } from "../runtime/runc/root-path.ts";
import type { PlanStep } from "./plan.ts";

type Customer = Pick<StepCustomer, "logFile" | "signal">;

export type Installation = Extract<PlanStep, { kind: "install" }> & {
  /** The virtual environment's interpreter. */
  readonly program: string;
  /** Where the image's files are. */
  readonly files: string;
  readonly secrets: Readonly<Record<string, string>>;
  /** What is inherited from the host where packages are fetched. */
  readonly settings: Readonly<Record<string, string>>;
  readonly clock: Clock;
};

/** Answers its interpreter. */
export async function makeVenv(
  interpreter: string,
  folder: string,
  { path, ...customer }: Customer & { readonly path: string },
): Promise<string> {
  await run([interpreter, "-m", "venv", folder], { PATH: path }, customer);
  return join(folder, "bin", "python");
}

/** A copy, which knows where it is. */
export async function copyVenv(from: string, to: string): Promise<string> {
  await cp(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
  const scripts = (await readdir(join(to, "bin"))).map((name) => join(to, "bin", name));
  for (const file of [join(to, "pyvenv.cfg"), ...scripts]) {
    if (!(await lstat(file)).isFile()) continue;
    const text = await readFile(file, "latin1"); // as bytes
    if (text.includes(from)) await writeFile(file, text.replaceAll(from, to), "latin1");
  }
  return join(to, "bin", "python");
}

export async function install(installation: Installation, customer: Customer): Promise<void> {
  const { tool, program, files, words, env, secrets, settings } = installation;
  const venv = dirname(dirname(program));
  const { PATH = "", ...variables } = env;
  const environment = {
    LANG: "C.UTF-8",
    ...settings,
    ...variables,
    ...secrets,
    HOME: homedir(), // pip's and uv's own settings lie there
    PATH: `${dirname(program)}:${PATH}`,
    VIRTUAL_ENV: venv,
    UV_PROJECT_ENVIRONMENT: venv,
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
  };
  const placed = await Promise.all(words.map((word) => wordOnHost(word, files)));
  if (tool === "pip") return await run([program, "-m", "pip", ...placed], environment, customer);
  const uv = join(dirname(program), "uv");
  if (!(await exists(uv))) await run([program, "-m", "pip", "install", "--quiet", "uv"], environment, customer);
  await run([uv, ...placed.map((word) => (word === "python" ? program : word))], environment, customer);
}

/** Where a word is the path of one of the image's files, or ends with one (`--requirement=/x`), it is the file's on the host. */
async function wordOnHost(word: string, files: string): Promise<string> {
  const [, option = "", path] = /^(--[\w-]+=)?(\/.*)$/.exec(word) ?? [];
  if (path === undefined) return word;
  const place = new RootPaths(files).realPath(path);
  return (await exists(place)) ? `${option}${place}` : word;
}

/** Its output goes to the build's log; it ends with the build, and with the worker. */
async function run(
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
  { logFile, signal }: Customer,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...argv], {
    ...{ cwd: "/", env, detached: true },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const tell = (stream: "stdout" | "stderr", from: Readable): void => {
    createInterface({ input: from }).on("line", (line) => {
      appendFileSync(logFile, formatRecords(stream, Date.now(), line));
    });
  };
  tell("stdout", child.stdout);
  tell("stderr", child.stderr);
  const { pid } = child;
  const onAbort = (): void => {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const end = await new Promise<ProcessEnd>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, ended) => {
        resolve(ended === null ? { reason: "exited", code: code ?? 0 } : { reason: "signaled", signal: ended });
      });
    });
    signal.throwIfAborted();
    if (end.reason !== "exited" || end.code !== 0) throw new StepError(`the command ${describeEnd(end)}`, end);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

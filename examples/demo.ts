/**
 * `npm run demo`: starts a platform in a temporary folder, runs a function on it in a container with the unmodified public
 * client, and stops everything again. Each step shows the command that a person would type, what it prints, and how long
 * it took. `npm run demo -- --runtime process` does the same without containers.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { styleText } from "node:util";

const root = join(import.meta.dirname, "..");
const example = join("examples", "python", "hello.py");
const expected = "Hello World!";

/** Something went wrong that the lines above it explain. */
class DemoError extends Error {}

const style = (format: Parameters<typeof styleText>[0], text: string): string =>
  styleText(format, text, { stream: process.stdout });
const print = (line = ""): void => void process.stdout.write(`${line}\n`);
const secondsSince = (start: number): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;

let step = 0;
function heading(title: string, command?: string): void {
  step += 1;
  print(`\n${style("bold", `${step}. ${title}`)}`);
  if (command !== undefined) print(`   ${style("cyan", `$ ${command}`)}`);
}

const programs = new Set<ChildProcess>();

/** Shows what a program prints as it comes, beside a rule; `onLine` sees the lines of its stdout. */
function show(child: ChildProcess, onLine: (line: string) => void): void {
  programs.add(child);
  child.once("close", () => programs.delete(child));
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      print(`   ${style("dim", "│")} ${line}`);
      if (stream === child.stdout) onLine(line);
    });
  }
}

/** The newest public client, where `node scripts/setup.mjs --client` has put it. */
function findClient(): { version: string; program: string } {
  const text = readFileSync(join(root, "packages", "contract", "clients.json"), "utf8");
  const version = (JSON.parse(text) as { python: string[] }).python.at(-1) ?? "";
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const venvs = process.env["LYDIAN_VENVS"] || join(cache, "lydian", "venvs");
  const program = join(venvs, `modal-${version}`, "bin", "modal");
  if (existsSync(program)) return { version, program };
  throw new DemoError(
    `there is no client at ${program}: run node scripts/setup.mjs --client, or npm run demo, which does`,
  );
}

async function startPlatform(data: string, more: readonly string[]): Promise<ChildProcess> {
  const args = ["up", "--port", "0", "--data", data, "--log-level", "warn", ...more];
  heading("Start the platform", `bin/lydian ${args.join(" ")}`);
  const start = performance.now();
  const platform = spawn(join(root, "bin", "lydian"), args, { stdio: ["ignore", "pipe", "pipe"] });
  const isReady = await new Promise<boolean>((resolve, reject) => {
    show(platform, (line) => {
      if (line.startsWith("Lydian is ready at ")) resolve(true);
    });
    platform.once("error", reject);
    platform.once("close", () => resolve(false));
  });
  if (!isReady && more.length > 0) throw new DemoError("the platform did not start; it has said why");
  if (!isReady) {
    throw new DemoError(
      "the platform did not start; it has said why, and what to do. " +
        "The demo without containers, and without their isolation: npm run demo -- --runtime process",
    );
  }
  print(`   ready after ${style("green", secondsSince(start))}`);
  return platform;
}

async function runExample(client: { version: string; program: string }, data: string): Promise<void> {
  heading(
    `Run ${example} with the public client ${client.version} (the first run on a machine makes the base image)`,
    `MODAL_CONFIG_PATH=${data}/profile.toml modal run ${example}`,
  );
  const start = performance.now();
  // Nothing of this user's own Modal settings may decide where the example runs.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MODAL_")));
  const run = spawn(client.program, ["run", example], {
    cwd: root,
    env: { ...env, MODAL_CONFIG_PATH: join(data, "profile.toml"), PYTHONUNBUFFERED: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let isAnswered = false;
  show(run, (line) => (isAnswered ||= line.trim() === expected));
  const [code, signal] = (await once(run, "close")) as [number | null, string | null];
  if (code !== 0) throw new DemoError(`modal run ended with ${signal ?? code}`);
  if (!isAnswered) throw new DemoError(`modal run did not print "${expected}"`);
  print(`   done after ${style("green", secondsSince(start))}`);
}

async function stopPlatform(platform: ChildProcess): Promise<void> {
  heading("Stop the platform");
  const start = performance.now();
  if (platform.exitCode === null && platform.signalCode === null) {
    const closed = once(platform, "close");
    platform.kill("SIGTERM");
    await closed;
  }
  if (platform.exitCode !== 0)
    throw new DemoError(`the platform ended with ${platform.signalCode ?? platform.exitCode}`);
  print(`   stopped after ${style("green", secondsSince(start))}; nothing is left`);
}

async function demo(more: readonly string[]): Promise<void> {
  const start = performance.now();
  const client = findClient();
  await using data = await mkdtempDisposable(join(tmpdir(), "lydian-demo-"));
  const platform = await startPlatform(data.path, more);
  try {
    await runExample(client, data.path);
  } finally {
    await stopPlatform(platform);
  }
  print(
    `\n${style(["bold", "green"], "It works.")} The whole took ${secondsSince(start)}. To keep a platform running: bin/lydian up`,
  );
}

// The terminal's Ctrl-C reaches the programs too: they end, and then the temporary folder goes as always.
process.on("SIGINT", () => print("\nStopping"));
process.on("SIGTERM", () => {
  for (const program of programs) program.kill("SIGTERM");
});

print(style("bold", "Lydian: serverless functions on your own machine"));
try {
  await demo(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof DemoError)) throw error;
  print(`\n${style("red", "Error:")} ${error.message}`);
  process.exitCode = 1;
}

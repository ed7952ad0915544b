/**
 * An S3-compatible server on loopback, as another party has written it: moto, from the package index, in a virtual environment that is
 * kept. To make that takes a minute or two, so tests want it only when they are told to.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { within } from "./within.ts";

const run = promisify(execFile);

const version = "5.2.5";

/** Why tests of buckets are left out, or false. */
export const noBuckets: string | false =
  process.env["LYDIAN_BUCKET_TESTS"] === "1"
    ? false
    : "LYDIAN_BUCKET_TESTS=1 runs them, with moto from the package index";

export interface BucketServer extends AsyncDisposable {
  readonly endpoint: string;
}

export async function bucketServer(): Promise<BucketServer> {
  const python = join(await environment(), "bin", "python");
  const port = await freePort();
  const args = ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)];
  const child = spawn(python, args, { stdio: ["ignore", "ignore", "pipe"] });
  const ready = Promise.withResolvers<void>();
  child.once("exit", (code) => ready.reject(new Error(`moto ended with ${code}`)));
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes("Running on")) ready.resolve();
  });
  await within(60_000, ready.promise, () => `moto does not start: ${said}`);
  return {
    endpoint: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      child.removeAllListeners("exit");
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Makes a bucket. */
export async function makeBucket(endpoint: string, name: string): Promise<void> {
  const answer = await fetch(`${endpoint}/${name}`, { method: "PUT" });
  if (!answer.ok) throw new Error(`the bucket was not made: ${answer.status}`);
}

async function environment(): Promise<string> {
  const folder = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "lydian", `moto-${version}`);
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${process.pid}`;
  await run("python3", ["-m", "venv", draft]);
  await run(join(draft, "bin", "python"), ["-m", "pip", "install", "--quiet", `moto[s3,server]==${version}`]);
  await rename(draft, folder);
  return folder;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A thousand requests that no client would send, many at once: the server answers each clearly, and loses nothing by it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { missingClient, modal, newestClient, platformOfFile, residentBytes, until } from "@lydian/testkit";

import { type Answer, type Attempt, hostileAttempts } from "./hostile-requests.ts";

const seed = Number(process.env["LYDIAN_SEED"] ?? 1);
const count = 1_000;
const atOnce = 50;
const mayGrowBytes = 20 * 1024 * 1024;

/** What the server says when something in it went wrong that should not have. */
const ownFault = /incident/;

// A small heap, so that garbage which is merely not collected yet does not look like growth.
const platform = await platformOfFile({
  runtime: "process",
  nodeArgs: ["--max-old-space-size=96", "--max-semi-space-size=2"],
});
const url = new URL(platform.url);

async function token(): Promise<Record<string, string>> {
  const profile = await readFile(join(platform.data, "profile.toml"), "utf8");
  const value = (key: string): string => new RegExp(`${key} = "(.*)"`).exec(profile)?.[1] ?? "";
  return { "x-modal-token-id": value("token_id"), "x-modal-token-secret": value("token_secret") };
}

async function round(): Promise<Map<Attempt, Answer>> {
  const attempts = hostileAttempts(url, seed, count, await token());
  const answers = new Map<Attempt, Answer>();
  const queue = [...attempts];
  const next = async (): Promise<void> => {
    for (let attempt = queue.shift(); attempt !== undefined; attempt = queue.shift()) {
      answers.set(attempt, await attempt.make());
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  return answers;
}

test(`${count} hostile requests (seed ${seed}) are answered clearly, do no harm, and cost no memory`, async (context) => {
  const before = platform.process("server");
  assert.ok(before);
  const answers = await round();
  await round(); // the heap has found its size
  const warm = residentBytes(before.pid);
  await round();
  const growth = (): number => residentBytes(before.pid) - warm;
  await until(
    20_000,
    () => growth() < mayGrowBytes,
    () => `the server has grown by ${growth()} bytes`,
  );
  context.diagnostic(
    `resident memory: ${Math.round(warm / 1048576)} MiB when warm, ${Math.round(growth() / 1048576)} more after another round`,
  );

  assert.equal(platform.process("server")?.pid, before.pid, "it is the same process");
  const faults = [...answers].filter(([, answer]) => isFault(answer));
  assert.deepEqual(
    faults.map(([attempt, answer]) => [attempt.name, answer]),
    [],
  );
  const kinds = Object.groupBy(answers.values(), ({ kind }) => kind);
  for (const kind of ["grpc", "http", "closed"] as const) {
    assert.ok((kinds[kind]?.length ?? 0) > count / 20, `${kind}: ${kinds[kind]?.length}`);
  }
});

function isFault(answer: Answer): boolean {
  switch (answer.kind) {
    case "closed":
      return false;
    case "http":
      return answer.status >= 500;
    case "grpc":
      return ownFault.test(answer.message);
  }
}

test("a client that comes afterwards is served", { skip: missingClient(newestClient) }, async () => {
  await using run = modal(platform, newestClient, ["run", "examples/python/hello.py"]);
  assert.match(await run.finishWith(0), /^Hello World!$/m);
});

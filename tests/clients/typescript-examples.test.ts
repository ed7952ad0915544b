/** The examples in TypeScript: each runs as it says. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { platformOfFile, Program, repositoryRoot, runLydian } from "@lydian/testkit";

import { type Answer, WebCaller } from "./web-caller.ts";

const platform = await platformOfFile();
const folder = "examples/typescript";

interface Example {
  /** In any order: a container's output and the program's own come by two ways. */
  prints: readonly string[];
  args?: readonly string[];
  needs?: "runc";
}

const greetings = Array<string>(5).fill("Hello, Ada, from linux");
const examples: Record<string, Example> = {
  "hello.ts": { args: ["--name", "Ada"], prints: greetings },
  "report.ts": { prints: ["true 2026-11: 42 EUR"], needs: "runc" },
  "crawl.ts": {
    args: ["--count", "3", "--site", "data:text/html,<title>page "],
    prints: ["page 0", "page 1", "page 2", "no title: []"],
  },
  "watch.ts": { prints: ["now 80, from 100", "price: 80"] },
  "pipeline.ts": { prints: ["rows: 2", "total: 42"], needs: "runc" },
  "batch.ts": { prints: ["Processed 10000 items, the last of them to 9999"] },
  "map-reduce.ts": { prints: ["sum of squares: 333283335000"] },
  "training.ts": { prints: ["epoch 4, loss 0.0625, went on from epoch 2"], needs: "runc" },
  "llm.ts": { prints: ["12/4 5/2", "TO", "BE", "OR", "NOT"] },
  "transcode.ts": { prints: ["true a film with scale=-2:480"], needs: "runc" },
  "model.ts": { prints: ["TO", "BE", "OR", "NOT"] },
};

for (const [name, { prints, args = [], needs }] of Object.entries(examples)) {
  const skip = needs !== undefined && platform.runtime !== needs ? `it needs the runtime ${needs}` : false;
  test(name, { skip }, async () => {
    await using program = runLydian(["run", "-q", join(folder, name), ...args], platform.env);
    await program.finishWith(0);
    const lines = program.stdout.split("\n").filter((line) => prints.includes(line));
    assert.deepEqual(lines.toSorted(), prints.toSorted());
  });
}

test("client.ts", async () => {
  await using deployed = runLydian(["deploy", "-q", join(folder, "hello.ts")], platform.env);
  await deployed.finishWith(0);
  const args = ["--conditions=lydian-source", join(folder, "client.ts")];
  await using program = new Program(process.execPath, args, { cwd: repositoryRoot, env: platform.env });
  assert.match(await program.finishWith(0), /^Hello, Ada, from linux\ntrue Hello, Bob, from linux\n$/);
});

test("predict.ts", async () => {
  await using deployed = runLydian(["deploy", join(folder, "predict.ts")], platform.env);
  const url = /api answers at (\S+)/.exec(await deployed.finishWith(0))?.[1] ?? "";
  using caller = new WebCaller(platform);
  const ask = async (text: string): Promise<Answer> =>
    await caller.ask(url, { method: "POST", body: JSON.stringify({ text }) });
  const answers = await Promise.all(["a good one", "great and good", "bad"].map(ask));
  assert.deepEqual(
    answers.map((answer) => (answer.json() as { score: number }).score),
    [1, 2, -1],
  );
  const more = await Promise.all(["x", "y", "z"].map(ask));
  assert.equal(more.filter(({ status }) => status === 429).length, 1, "the sixth in a minute");
});

test("chat.ts", async () => {
  await using deployed = runLydian(["deploy", join(folder, "chat.ts")], platform.env);
  const url = /chat answers at (\S+)/.exec(await deployed.finishWith(0))?.[1] ?? "";
  using caller = new WebCaller(platform);
  const [ada, bob] = [caller.socket(url), caller.socket(url)];
  await Promise.all([once(ada, "open"), once(bob, "open")]);
  const heard = once(bob, "message");
  ada.send("hello");
  assert.equal(String((await heard)[0]), "hello");
  for (const socket of [ada, bob]) socket.close();
});

test("api/api.ts", { skip: platform.runtime === "runc" ? false : "it needs the runtime runc" }, async () => {
  await using model = runLydian(["deploy", "-q", join(folder, "llm.ts")], platform.env);
  await model.finishWith(0);
  await using deployed = runLydian(["deploy", join(folder, "api/api.ts")], platform.env);
  const url = /api answers at (\S+)/.exec(await deployed.finishWith(0))?.[1] ?? "";
  using caller = new WebCaller(platform);
  const generated = await caller.ask(`${url}/generate`, { method: "POST", body: JSON.stringify({ prompt: "to be" }) });
  assert.equal(generated.text, "TO BE ");
  const socket = caller.socket(`${url}/socket`);
  await once(socket, "open");
  socket.send("hello");
  assert.equal(String((await once(socket, "message"))[0]), "heard hello");
  socket.close();
});

// That it type-checks, `npm run check` says.
test("sandbox.ts", async () => {
  const args = ["--conditions=lydian-source", join(folder, "sandbox.ts")];
  await using program = new Program(process.execPath, args, { cwd: repositoryRoot, env: platform.env });
  await program.finishWith(1);
  assert.match(program.stderr, /UnimplementedError: sandboxes are still to come/);
});

test("there is no example that is not run", () => {
  const known = new Set([
    ...Object.keys(examples),
    "client.ts",
    "engine.ts",
    "predict.ts",
    "chat.ts",
    "sandbox.ts",
    "api",
  ]);
  assert.deepEqual(
    readdirSync(join(repositoryRoot, folder)).filter((name) => !known.has(name)),
    [],
  );
});

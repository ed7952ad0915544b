/** Functions in TypeScript: called from TypeScript, from Python and JavaScript, and calling what Python has deployed. */
import { on, once } from "node:events";
import { copyFile, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import assert from "node:assert/strict";

import {
  modal,
  newestClient,
  otherClients,
  platformOfFile,
  type Program,
  Program as Run,
  python,
  repositoryRoot,
  runLydian,
  temporaryFolder,
  testEachClient,
} from "@lydian/testkit";

import { app } from "./stories.ts";
import { WebCaller } from "./web-caller.ts";

const platform = await platformOfFile();
const folder = "tests/clients/apps/typescript";
const holds = /^all of it holds$/m;

const lydian = (...args: string[]): Program => runLydian(args, platform.env);

async function ends(run: Program): Promise<string> {
  await using program = run;
  return await program.finishWith(0);
}

test("every way to call one from its own program", async () => {
  assert.match(await ends(lydian("run", `${folder}/calls.ts`)), holds);
});

test("short inputs that are taken many at a time: one that computes keeps none waiting, and each line says whose it is", async () => {
  await using program = lydian("run", `${folder}/ahead.ts`);
  await program.sees(/apps\/ap-\w+\n/);
  const [appId = ""] = /ap-\w+/.exec(program.stdout + program.stderr) ?? [];
  await program.sees(/computes in \S+\n/);
  const [, container = ""] = /computes in (\S+)/.exec(program.stdout) ?? [];
  await program.sees(/^only 200 is left$/m); // while it still computes
  const exec = ["container", "exec", "--no-pty", container, "--", "touch", `/tmp/go-${container}`];
  await using touch = modal(platform, newestClient, exec);
  await touch.finishWith(0);
  const printed = await program.finishWith(0);
  assert.match(printed, holds);
  assert.ok(!printed.includes("\u001b_"), "no marks are seen");
  const lines = (await ends(lydian("logs", appId, "--json", "--tail", "2000", "--search", " is in-")))
    .trim()
    .split("\n");
  assert.equal(lines.length, 400);
  for (const line of lines) {
    const { text, inputId } = JSON.parse(line) as { text: string; inputId?: string };
    assert.equal(/ is (\S+)/.exec(text)?.[1], inputId);
  }
});

test("a program that waits at its own top level runs its app, and what a function threw is in the log, with its cause", async () => {
  const args = ["--conditions=lydian-source", `${folder}/top-level.ts`];
  await using program = new Run(process.execPath, args, { cwd: repositoryRoot, env: platform.env });
  const printed = await program.finishWith(0);
  assert.match(printed, holds);
  assert.match(
    printed,
    /^RangeError: no 4\n {4}at .*top-level\.ts:\d+:\d+\)? \{\n {2}\[cause\]: TypeError: deep\n {6}at deep /m,
  );
  const bare = `${folder}/bare-call.ts`;
  await using called = lydian("run", bare);
  assert.match(await called.finishWith(1), /app "bare-call" is not running, so ok cannot be called/);
});

test("classes with parameters and hooks, dicts and queues", async () => {
  assert.match(await ends(lydian("run", `${folder}/classes.ts`)), holds);
});

test("web functions", async () => {
  const without = platform.runtime === "runc" ? [] : ["--no-tunnels"]; // processes of the host have no ports of their own
  assert.match(await ends(lydian("run", `${folder}/web.ts`, ...without)), holds);
});

test("web sockets: of a handler, and of a server that a function starts", async () => {
  const program = await ends(lydian("deploy", `${folder}/web.ts`));
  const url = (name: string): string => new RegExp(`^${name} answers at (\\S+)$`, "m").exec(program)?.[1] ?? "";
  using caller = new WebCaller(platform);
  const chat = caller.socket(url("socket"), ["chat", "other"]);
  const frames = on(chat, "message");
  const next = async (): Promise<string> => String(((await frames.next()).value as [Buffer])[0]);
  assert.equal(await next(), "welcome");
  assert.equal(chat.protocol, "chat");
  chat.send("hello");
  assert.equal(await next(), "HELLO");
  chat.send(Buffer.from("abc"));
  assert.equal(await next(), "cba");
  chat.send("bye");
  const [code, reason] = (await once(chat, "close")) as [number, Buffer];
  assert.deepEqual([code, String(reason)], [4001, "as you wish"]);
  const refused = caller.socket(`${url("socket")}/refused`);
  const [, answer] = (await once(refused, "unexpected-response")) as [unknown, IncomingMessage];
  assert.equal(answer.statusCode, 403);
  refused.on("error", () => {}); // it never opened
  refused.terminate();
  const served = caller.socket(url("server"));
  const [frame] = (await once(served, "message")) as [Buffer];
  assert.equal(String(frame), "hello");
});

test("what is served changes as its files do, and a file that is wrong changes nothing", async () => {
  await using work = await temporaryFolder();
  const word = async (text: string): Promise<void> =>
    await writeFile(join(work.path, "word.ts"), `export const word = ${text};`);
  await word('"one"');
  await copyFile(join(repositoryRoot, folder, "served.ts"), join(work.path, "served.ts"));
  await using program = lydian("serve", join(work.path, "served.ts"));
  await program.sees(/^Serving served;/m);
  const url = /api answers at (\S+)/.exec(program.stdout)?.[1] ?? "";
  using caller = new WebCaller(platform);
  assert.equal((await caller.ask(url)).text, "one");
  await word("");
  await program.sees(/^Error: word\.ts:1:\d+: Unexpected.*\nThe version before goes on$/m);
  assert.equal((await caller.ask(url)).text, "one");
  await word('"two"');
  await program.sees(/(?:^Serving served;[\s\S]*){2}/m);
  assert.equal((await caller.ask(url)).text, "two");
  program.signal("SIGINT");
  await program.finishWith(0);
});

test("one starts by itself, by its schedule", async () => {
  await ends(lydian("deploy", "-q", `${folder}/ticks.ts`));
  assert.match(await ends(lydian("run", `${folder}/ticks.ts`)), holds);
});

test("one is run by its name, with arguments", async () => {
  assert.match(
    await ends(lydian("run", "-q", `${folder}/greets.ts::greet`, "Ada", '{"times":2}')),
    /'Hello, Ada', 'Hello, Ada'/,
  );
  assert.match(await ends(lydian("run", "-q", `${folder}/greets.ts`, "--times", "2")), /Hello, Bob and Hello, Bob/);
  await using wrong = lydian("run", `${folder}/greets.ts`, "--times", "two");
  assert.match(await wrong.finishWith(2), /--times: is no number/);
});

test("an entrypoint needs no functions, and a call that it leaves behind is said", async () => {
  await using work = await temporaryFolder();
  const file = join(work.path, "left.ts");
  const head = 'import { App } from "lydian";\nconst app = new App("left");\n';
  await writeFile(file, `${head}export const main = app.localEntrypoint({}, () => console.log("alone"));\n`);
  assert.match(await ends(lydian("run", "-q", file)), /^alone$/m);
  await using deployed = lydian("deploy", file);
  assert.match(await deployed.finishWith(1), /has no functions, so there is nothing to deploy/);
  const waits = "export const waits = app.function(() => new Promise(() => setInterval(() => {}, 1000)));\n";
  const main = "export const main = app.localEntrypoint({}, () => void waits.remote());\n";
  await writeFile(file, `${head}${waits}${main}`);
  await using left = lydian("run", "-q", file);
  await left.finishWith(1);
  assert.match(left.output, /^Error: a call had not finished when the entrypoint returned.*\nHint: await .*\n$/);
});

const isolates = platform.runtime === "runc" ? false : "packages are a step of an image";
test(
  "packages of the lock file are in the image, and files that ship beside the code",
  { skip: isolates },
  async () => {
    const printed = await ends(lydian("run", `${folder}/packaged/app.ts::read`, '"a = 1"'));
    assert.match(printed, /parsed: \{ a: 1 \}, asset: 'an asset', note: 'a note'/);
    assert.match(await ends(lydian("run", `${folder}/built.ts`)), holds);
  },
);

test("what is wrong is said before anything is sent", async () => {
  await using program = lydian("run", `${folder}/greets.ts::Counter`);
  assert.match(await program.finishWith(2), /Counter is a class, which is not run by itself/);
});

test(
  "a shell runs where a function does, at a pipe and at a terminal",
  { skip: platform.runtime === "runc" ? false : "functions are plain processes here" },
  async () => {
    const command = ["--conditions=lydian-source", "packages/cli/src/main.ts", "shell", `${folder}/shell.ts::one`];
    const words = "echo $GREETING; echo err >&2; read word; echo got $word; exit 3";
    const at = { cwd: repositoryRoot, env: platform.env };
    await using piped = new Run(process.execPath, [...command, "--cmd", words], { ...at, input: "what is piped\n" });
    await piped.finishWith(3);
    assert.match(piped.stdout, /^hello\ngot what is piped$/m);
    assert.match(piped.stderr, /^err$/m);
    const steps = [
      { sees: "# " },
      { types: "stty size; test -t 1 && echo $GREETING-$TERM\r" },
      { sees: "hello-vt100" },
    ];
    const args = [app("terminal.py"), "31", "97", JSON.stringify([...steps, { types: "exit 4\r" }]), ...command];
    const env = { ...platform.env, TERM: "vt100", TERMINAL_PROGRAM: JSON.stringify([process.execPath]) };
    await using typed = new Run("python3", args, { ...at, env });
    assert.match(await typed.finishWith(0), /31 97\r[\s\S]*LEFT \[\] END 4$/m);
  },
);

test("a deployment says what it changes", async () => {
  assert.match(await ends(lydian("deploy", `${folder}/greets.ts`)), /Deployed greets[\s\S]*\+ greet\n/);
  assert.match(await ends(lydian("deploy", `${folder}/greets.ts`)), /~ greet\n/);
});

testEachClient("Python calls what is deployed", async (version) => {
  await ends(lydian("deploy", "-q", `${folder}/greets.ts`));
  assert.match(await ends(python(platform, version, [`${folder}/calls_greets.py`])), holds);
});

const javascript = otherClients.find(({ source }) => source === "callers.ts");
test("JavaScript calls what is deployed", { skip: javascript?.missing ?? "there is no such client" }, async () => {
  await ends(lydian("deploy", "-q", `${folder}/greets.ts`));
  const client = javascript?.path ?? "";
  assert.match(
    await ends(
      new Run(process.execPath, [join(folder, "calls-greets.ts"), client], { cwd: repositoryRoot, env: platform.env }),
    ),
    holds,
  );
});

const go = otherClients.find(({ language }) => language === "Go");
test("Go calls what is deployed", { skip: go?.missing ?? "there is no such client" }, async () => {
  await ends(lydian("deploy", "-q", `${folder}/greets.ts`));
  assert.match(await ends(go?.run(platform, "greets") ?? assert.fail()), holds);
});

test("TypeScript calls what Python has deployed", async () => {
  await ends(modal(platform, newestClient, ["deploy", "tests/clients/apps/foreign.py"]));
  const program = new Run(process.execPath, ["--conditions=lydian-source", join(folder, "calls-python.ts")], {
    cwd: repositoryRoot,
    env: platform.env,
  });
  assert.match(await ends(program), holds);
});

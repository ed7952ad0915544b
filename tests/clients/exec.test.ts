/** Commands and terminals in running containers, by the stock clients and at a real terminal. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";

import {
  repositoryRoot,
  modal,
  newestClient,
  type Platform,
  platformOfFile,
  python,
  testEachClient,
  until,
} from "@lydian/testkit";

import { app, functionIn, goOn } from "./stories.ts";

let finishWaiting = async (): Promise<void> => {};
after(async () => await finishWaiting()); // before the platform ends
const platform = await platformOfFile();
const hasContainers = platform.runtime === "runc";
const skip = hasContainers ? false : "functions are plain processes here, in which no commands can be run";

/** An app whose one container waits for commands, until all tests are over. */
async function waiting(): Promise<void> {
  const run = modal(platform, newestClient, ["run", app("commanded.py")]);
  finishWaiting = async () => {
    if (run.end === undefined) await goOn(functionIn(platform, id));
    await run.finish();
    await run[Symbol.asyncDispose]();
  };
  await run.sees(/waits in ta-\w+/, 100_000);
  id = /waits in (ta-\w+)/.exec(run.output)?.[1] ?? "";
}

let id = "";
if (hasContainers) await waiting();

type Step = { sees: string } | { types: string };

/** A command of the client at a terminal; what was shown, and how it ended. */
async function atTerminal(version: string, args: readonly string[], steps: readonly Step[]): Promise<string> {
  await using driver = python(platform, version, [app("terminal.py"), "31", "97", JSON.stringify(steps), ...args]);
  return await driver.finishWith(0);
}

testEachClient(
  "a command runs in a container: its output, and a shell at a terminal",
  async (version) => {
    const exec = ["container", "exec"];
    await using plain = modal(platform, version, [
      ...exec,
      "--no-pty",
      id,
      "--",
      "sh",
      "-c",
      "echo out; echo err >&2; pwd",
    ]);
    const printed = await plain.finishWith(0);
    for (const line of ["out", "err", "/root"]) assert.match(printed, new RegExp(`^${line}$`, "m"));
    const shown = await atTerminal(
      version,
      [...exec, "--pty", id, "--", "bash", "--norc"],
      [
        { sees: "# " },
        { types: "stty size; tty; echo $TERM-$OF_A_SECRET\r" },
        { sees: "-hush" },
        { types: "sleep 600; echo not so\r" },
        { sees: "not so\r\n" }, // its echo
        { types: "\u0003" },
        { sees: "# " },
        { types: "echo ü-$((6 * 7)); exit 5\r" },
        { sees: "ü-42" },
      ],
    );
    assert.match(shown, /^31 97\r$/m);
    assert.match(shown, /^\/dev\/pts\/\d+\r$/m);
    assert.match(shown, /\^C/);
    assert.doesNotMatch(shown, /^not so/m);
    assert.match(shown, /LEFT \[\] END 0$/m);
    assert.match(await atTerminal(version, ["shell", "--cmd", "echo in a shell", id], []), /in a shell\r/);
    assert.match(await atTerminal(version, ["shell"], []), /andboxes\s+are\s+still\s+to\s+come/);
  },
  hasContainers ? undefined : [],
);

test("what commands read, write and end with is as in a container's own process", { skip }, async () => {
  await using driver = python(platform, newestClient, [app("exec_driver.py"), id]);
  const { rights, ...outcomes } = JSON.parse(/^OUTCOMES (.*)$/m.exec(await driver.finishWith(0))?.[1] ?? "") as Record<
    string,
    unknown[]
  >;
  assert.deepEqual(outcomes, {
    plain: [3, "sh a b yes hush\n/tmp\n0\n", "err\n"],
    "no program": [
      127,
      "",
      'exec failed: unable to start container process: exec: "nonesuch": executable file not found in $PATH\n',
    ],
    signal: [143, "", ""],
    "too long": [137, "begun\n", ""],
    "many bytes": [10_000_000, 0, true],
    twice: [0, "one two three", "", "two three"],
    "one stream": [0, "same\nsame\n", ""],
    flood: [true, 20_000_000, 0],
    "other container": "This token opens container " + id + ", and no other one.",
  });
  assert.match(
    String(rights),
    /CapEff:\s+00000000a80425fb[^]*NoNewPrivs:\s+1[^]*Seccomp:\s+2[^]*Operation not permitted/,
  );
});

test("a server that is killed meanwhile loses nothing of a command; a worker's death ends it", { skip }, async () => {
  const exec = ["container", "exec", "--no-pty", id, "--"];
  const counts = "for i in $(seq 20); do echo line $i; sleep 0.2; done";
  await using counting = modal(platform, newestClient, [...exec, "sh", "-c", counts]);
  await counting.sees("line 3\n");
  const server = await platform.kill("server");
  await platform.replaced("server", server);
  const printed = (await counting.finishWith(0)).match(/^line \d+$/gm);
  assert.deepEqual(
    printed,
    Array.from({ length: 20 }, (_, i) => `line ${i + 1}`),
  );

  await using lasting = modal(platform, newestClient, [...exec, "sh", "-c", "echo begun; exec sleep 4242"]);
  await lasting.sees("begun\n");
  const isThere = (): boolean => commandsOf(platform, "4242").length > 0;
  // The shell has said that it begun, and has yet to become what it said.
  await until(30_000, isThere, () => platform.describe("a command is not there"));
  const worker = await platform.kill("worker");
  await platform.replaced("worker", worker);
  await until(
    30_000,
    () => !isThere(),
    () => platform.describe("a command outlives its worker"),
  );
  await lasting.finish();
  await using again = modal(platform, newestClient, [...exec, "echo", "there again"]);
  assert.match(await again.finishWith(0), /^there again$/m);
});

const commandsOf = (of: Platform, word: string) =>
  of.processes().filter(({ command }) => command[0] === "sleep" && command.includes(word));

testEachClient(
  "a function is looked into under `modal run -i`, and not stopped without",
  async (version) => {
    const shown = await atTerminal(
      version,
      ["run", "-i", join(repositoryRoot, "examples/python/guide/debugging.py")],
      [
        { sees: "2 prices" },
        { sees: "(Pdb) " },
        { types: "p amount + 1\r" },
        { sees: "4.75" },
        { sees: "(Pdb) " },
        { types: "while True: pass\r" },
        { types: "\u0003" },
        { sees: "(Pdb) " },
        { types: "amount = 50\r" },
        { sees: "(Pdb) " },
        { types: "c\r" },
        { sees: "They cost 50.00" },
      ],
    );
    assert.match(shown, /LEFT \[\] END 0$/m);
    assert.match(shown, /debugging\.py\(\d+\)total\(\)/);
    const bar = await atTerminal(version, ["run", app("progress.py")], []);
    for (const part of [" 10 %", " 50 %", "100 %"]) assert.ok(bar.includes(`\u001b[32m${part}\u001b[0m`), bar);
    assert.match(bar, /modal\.debug\(\) has nobody to ask: use `modal run -i`/);
    assert.match(bar, /done/);
  },
  hasContainers ? undefined : [],
);

/** What a function prints appears in the client's terminal, in order, while the function runs. */
import assert from "node:assert/strict";

import { modal, platformOfFile, testEachClient } from "@lydian/testkit";

import { app, goOn, theFunction } from "./stories.ts";

const platform = await platformOfFile();

testEachClient("prints appear while the function runs", async (version) => {
  await using run = modal(platform, version, ["run", app("output.py")]);
  await run.sees("first words\n");
  const { containerId } = theFunction(platform);
  const follow = version.startsWith("1.3.") ? [] : ["-f"];
  await using follower = modal(platform, version, ["container", "logs", containerId, ...follow]);
  await follower.sees("first words\n");
  // The function goes on only when we have seen the words before, so it cannot have ended by then.
  for (const words of ["first words\n", "to stderr\n", "from the descriptor\n"]) {
    await run.sees(words);
    await goOn(theFunction(platform));
  }
  const output = await run.finishWith(0);
  assert.match(await follower.finishWith(0), /first words\n[^]*an unfinished line\n[^]*last words without an end/);
  const printed = [
    "before\n",
    "first words\n",
    "to stderr\n",
    "from the descriptor\n",
    "an unfinished line\n", // printed in two parts
    "ünïcödé ☃\n",
    `${"x".repeat(100_000)}\n`,
    "last words without an end",
  ];
  let at = -1;
  for (const text of printed) {
    const next = output.indexOf(text, at + 1);
    assert.ok(next > at, run.describe(`has not printed ${JSON.stringify(text.slice(0, 40))} in its turn`));
    at = next;
  }
});

testEachClient("no line is lost and none comes twice, however many there are", async (version) => {
  const count = 20_000;
  await using run = modal(platform, version, ["run", app("output.py::chatter"), "--lines", String(count)]);
  const lines = (await run.finishWith(0)).match(/^line \d+$/gm);
  assert.deepEqual(
    lines,
    Array.from({ length: count }, (_, number) => `line ${number}`),
  );
});

testEachClient("a log is read by function, call, container, text and stream", async (version) => {
  if (version.startsWith("1.3.")) return; // its command has no such options
  await using run = modal(platform, version, ["run", app("log_filters.py")]);
  const answers = JSON.parse(/^ANSWERS (.*)$/m.exec(await run.finishWith(0))?.[1] ?? "") as Record<string, string>;
  assert.deepEqual(answers, {
    function: "first from one\nsecond from one\n",
    call: "second from one\n",
    container: "third from other\n",
    "container itself": "third from other\n",
    text: "CALL second from one\n",
    stream: "third from other\n",
  });
});

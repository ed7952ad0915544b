/** The other commands of the clients that work, and the words in which the rest is refused. */
import assert from "node:assert/strict";

import { type Program, modal, platformOfFile, testEachClient } from "@lydian/testkit";

import { app } from "./stories.ts";

const platform = await platformOfFile();

async function succeeds(version: string, ...args: string[]): Promise<string> {
  await using run = modal(platform, version, args);
  return await run.finishWith(0);
}

testEachClient("`modal token info` and `modal profile list` tell who is asking", async (version) => {
  assert.match(await succeeds(version, "token", "info"), /Token: ak-\w{22}\nWorkspace: [a-z0-9-]+ /);
  assert.match(await succeeds(version, "profile", "list"), /lydian/);
});

testEachClient("`modal environment list` has the one environment", async (version) => {
  assert.match(await succeeds(version, "environment", "list"), /main .*True/);
});

testEachClient("`modal app list` shows an app that runs, and `modal app stop` ends it", async (version) => {
  await using run = modal(platform, version, ["run", app("patience.py::main")]);
  await run.sees("it runs");
  const appId = /ap-\w{22}/.exec(run.output)?.[0] ?? "";
  assert.match(await succeeds(version, "app", "list"), new RegExp(`${appId}.* patience .* ephemeral .* 1 `));
  await succeeds(version, "app", "stop", appId, ...(version.startsWith("1.3.") ? [] : ["--yes"]));
  await run.finishWith(1);
  assert.match(run.output, /The app was stopped/);
  assert.deepEqual(platform.functions(), []);
  assert.match(await succeeds(version, "app", "list"), new RegExp(`${appId}.* patience .* stopped .* 0 `));
});

testEachClient("a token that is not the platform's is refused as the clients expect it", async (version) => {
  const wish = (env: NodeJS.ProcessEnv): Program =>
    modal(platform, version, ["run", "examples/python/hello.py"], { env });
  await using wrong = wish({ MODAL_TOKEN_SECRET: "as-wrong" });
  await wrong.finishWith(1);
  assert.match(wrong.output, /Token ak-\w+ is unknown here, or its secret is wrong/);
  await using unknown = wish({ MODAL_TOKEN_ID: "ak-unknown", MODAL_TOKEN_SECRET: "as-unknown" });
  await unknown.finishWith(1);
  assert.match(unknown.output, /Token ak-unknown is unknown here/);
  await using script = modal(platform, version, ["run", app("refused.py")], {
    env: { MODAL_TOKEN_SECRET: "as-wrong" },
  });
  await script.finishWith(1);
});

/** What apps/refused.py is asked to wish for -> what the refusal says. */
const refusals: Record<string, RegExp> = {
  gpu: /Function "work" asks for a GPU that no worker has: H100:1/,
};

for (const [wish, words] of Object.entries(refusals)) {
  testEachClient(`an app that asks for ${wish} is refused in words, and nothing of it runs`, async (version) => {
    await using run = modal(platform, version, ["run", app("refused.py")], { env: { WISH: wish } });
    await run.finishWith(1);
    assert.match(run.output, words);
    assert.doesNotMatch(run.output, /WORKED/);
  });
}

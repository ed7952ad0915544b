/** The other commands of the clients that work, and the words in which the rest is refused. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import {
  type Program,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  runLydian,
  testEachClient,
  until,
} from "@lydian/testkit";

import { app } from "./stories.ts";
import { openCollector } from "./trace-collector.ts";

const collector = await openCollector();
const platform = await platformOfFile({ args: ["--traces", collector.url] });
after(() => collector.close());

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

/** What `lydian` answers about this platform. */
async function lydian(...args: string[]): Promise<string> {
  await using program = runLydian([...args, "--data", platform.data]);
  const { code } = await program.finish(30_000);
  assert.equal(code, 0, program.output);
  return program.stdout;
}

/** Of a platform's own page; with the owner's token, if it is asked for. */
async function page(path: string, withToken = false): Promise<{ status: number; text: string }> {
  const profile = readFileSync(join(platform.data, "profile.toml"), "utf8");
  const [id, secret] = [/ak-\w+/.exec(profile)?.[0] ?? "", /as-\w+/.exec(profile)?.[0] ?? ""];
  const headers = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` };
  const response = await fetch(`${platform.url}${path}`, withToken ? { headers } : {});
  return { status: response.status, text: await response.text() };
}

const skip = missingClient(newestClient);

/** A call that has waited for a container is at the collector, in its parts. */
async function hasTrace(name: string): Promise<void> {
  const spans = await until(
    10_000,
    () => {
      const traceId = collector.spans.find((span) => span.name === name)?.traceId;
      return traceId !== undefined && collector.spans.filter((span) => span.traceId === traceId);
    },
    () => "the call has no trace",
  );
  const parts = new Map(spans.map((span) => [span.name, span]));
  assert.deepEqual([...parts.keys()].toSorted(), ["container start", name, "run", "wait"]);
  const whole = parts.get(name);
  assert.equal(parts.get("run")?.parentSpanId, whole?.spanId);
  assert.equal(parts.get("container start")?.parentSpanId, parts.get("wait")?.spanId);
  const { value } = whole?.attributes.find(({ key }) => key === "lydian.status") ?? {};
  assert.deepEqual(value, { stringValue: "success" });
}

test("the operator sees an app that runs, its log and its metrics, and stops it", { skip }, async () => {
  await using run = modal(platform, newestClient, ["run", app("patience.py::main")]);
  await run.sees("it runs");
  const appId = /ap-\w{22}/.exec(run.output)?.[0] ?? "";
  const status = JSON.parse(await lydian("status", "--json")) as Record<string, Record<string, unknown>[]>;
  const own = status["apps"]?.find((each) => each["appId"] === appId);
  assert.partialDeepStrictEqual(own, { name: "patience", environment: "main", state: "ephemeral", running: 1 });
  assert.match(await lydian("status"), /patience +main +ephemeral +1 +1 .*\n(.*\n)*.*patience +wait +ready +1/);
  assert.match(await lydian("logs", "patience"), /^it runs in ta-\w+\n$/);
  await using following = runLydian(["logs", "patience", "--follow", "--data", platform.data]);
  await following.sees(/^it runs in ta-\w+$/m, 30_000);
  const { text } = await page("/metrics", true);
  const labels = 'environment="main",app="patience",function="wait"';
  assert.match(text, new RegExp(`^lydian_inputs\\{${labels},state="claimed"\\} 1$`, "m"));
  assert.match(text, new RegExp(`^lydian_containers\\{${labels},state="ready"\\} 1$`, "m"));
  assert.match(text, /^lydian_rpc_seconds_count\{rpc="FunctionMap"\} [1-9]/m);
  assert.match(text, /^lydian_input_run_seconds_count [0-9]+$/m);
  assert.equal((await page("/metrics")).status, 401);
  assert.match(await lydian("stop", "patience"), /^patience \(ap-\w+\) is stopped\.$/m);
  await run.finishWith(1);
  assert.match(run.output, /The app was stopped/);
  assert.equal((await following.finish(30_000)).code, 0, "a log that is followed ends with its app");
  assert.equal(following.stdout.match(/it runs in/g)?.length, 1, "what was shown does not come again");
});

test(
  "a platform that rests says so and begins nothing; what was asked meanwhile is done after it",
  { skip },
  async () => {
    assert.deepEqual(await page("/readyz"), { status: 200, text: "ready\n" });
    assert.match(await lydian("drain"), /^The platform rests/);
    const resting = await page("/readyz");
    assert.equal(resting.status, 503);
    assert.match(resting.text, /lydian drain --undo/);
    assert.deepEqual(await page("/healthz"), { status: 200, text: "ok\n" });
    await using run = modal(platform, newestClient, ["run", "-q", "examples/python/hello.py"]);
    const queue = /^lydian_inputs\{.*app="my-app".*state="queued"\} 1$/m;
    await until(
      30_000,
      async () => queue.test((await page("/metrics", true)).text),
      () => "no input is queued",
    );
    assert.deepEqual(platform.functions(), []);
    assert.match(await lydian("drain", "--undo"), /^The platform goes on/);
    await run.finishWith(0);
    await hasTrace("my-app.hello");
  },
);

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

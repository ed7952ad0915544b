/** Environments that know nothing of each other, and tokens: asked for, named, taken away. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import {
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  runLydian,
  temporaryFolder,
  testEachClient,
} from "@lydian/testkit";

import { app, outcomesOf } from "./stories.ts";

const platform = await platformOfFile();

/** What a function of this environment, and code outside of it, see of names that each environment has. */
const look = (environment: string): string => `
import modal
print(modal.Function.from_name("lives", "look", environment_name="${environment}").remote())
print(modal.Dict.from_name("shared", environment_name="${environment}").get("where"))
`;

const fill = (environment: string): string => `
import modal
modal.Dict.from_name("shared", environment_name="${environment}", create_if_missing=True)["where"] = "dict of ${environment}"
`;

testEachClient("apps, secrets and dicts of one environment are not those of another", async (version) => {
  const dev = `dev-${version.replaceAll(".", "-")}`;
  const file = app("environment.py");
  const { said, refused } = await outcomesOf(platform, version, {
    created: ["environment", "create", dev],
    twice: ["environment", "create", dev],
    list: ["environment", "list", "--json"],
    "secret of main": ["secret", "create", "--force", "place", "PLACE=main"],
    "secret of dev": ["secret", "create", "--env", dev, "place", `PLACE=${dev}`],
    "dict of main": ["-c", fill("main")],
    "dict of dev": ["-c", fill(dev)],
    "deployed in main": ["deploy", "--env", "main", file], // what one command names stays for the next in this process
    "deployed in dev": ["deploy", "--env", dev, file],
    "seen in main": ["-c", look("main")],
    "seen in dev": ["-c", look(dev)],
    "apps of dev": ["app", "list", "--env", dev, "--json"],
    renamed: ["environment", "update", dev, "--set-name", `${dev}-2`, "--set-web-suffix", `d-${dev}`],
    "seen as before": ["-c", look(`${dev}-2`)],
    default: ["environment", "delete", "main", "--yes"],
    deleted: ["environment", "delete", `${dev}-2`, "--yes"],
    gone: ["-c", look(`${dev}-2`)],
    "main stays": ["-c", look("main")],
  });
  said("created");
  refused("twice", /exists already/);
  assert.match(said("list"), new RegExp(`"${dev}"`));
  said("deployed in main");
  said("deployed in dev");
  assert.equal(said("seen in main"), "main dict of main\ndict of main");
  assert.equal(said("seen in dev"), `${dev} dict of ${dev}\ndict of ${dev}`);
  assert.equal((JSON.parse(said("apps of dev")) as unknown[]).length, 1);
  said("renamed");
  assert.equal(said("seen as before"), said("seen in dev"));
  refused("default", /is the workspace's default/);
  said("deleted");
  refused("gone", /Environment ".*" does not exist/);
  assert.equal(said("main stays"), said("seen in main"));
});

const skip = missingClient(newestClient);

async function lydian(...args: string[]): Promise<string> {
  await using run = runLydian([...args, "--data", platform.data]);
  await run.finishWith(0);
  return run.stdout;
}

test("`modal token new` is given a token once the operator's code is entered, and none before", { skip }, async () => {
  await using folder = await temporaryFolder();
  const config = join(folder.path, "modal.toml");
  const env = { MODAL_CONFIG_PATH: config, MODAL_SERVER_URL: platform.url, BROWSER: "true" };
  await using asking = modal(platform, newestClient, ["token", "new", "--expires-in", "12h"], { env });
  await asking.sees(/token-requests\/tf-\w+/);
  const [page = ""] = /http\S+token-requests\/tf-\w+/.exec(asking.output) ?? [];
  const enter = async (code: string): Promise<[number, string]> => {
    const answer = await fetch(page, { method: "POST", body: new URLSearchParams({ code, name: "laptop" }) });
    return [answer.status, await answer.text()];
  };
  assert.match(await (await fetch(page)).text(), /name="code"/);
  assert.match((await enter("AAAA-AAAA")).join(" "), /^403 .*That is not the code/s);
  const { requests } = JSON.parse(await lydian("token", "approve", "--json")) as { requests: { code: string }[] };
  const code = requests[0]?.code ?? assert.fail("nobody asks");
  assert.ok(platform.log.includes(code), "who started the platform sees it, too");
  assert.doesNotMatch(asking.output, new RegExp(code), "and who asks does not");
  assert.equal((await enter(code))[0], 200);
  assert.match(await asking.finishWith(0), /Token is connected to the .* workspace/);

  const [, id = ""] = /token_id = "(ak-\w+)"/.exec(await readFile(config, "utf8")) ?? [];
  const info = async (): Promise<[number | null, string]> => {
    await using run = modal(platform, newestClient, ["token", "info"], { env });
    const { code: status } = await run.finish();
    return [status, run.output];
  };
  assert.match((await info()).join(" "), new RegExp(`^0 Token: ${id}\\nName: laptop\\n[^]*Expires at: `));
  assert.match(await lydian("token", "list"), new RegExp(`^${id}  laptop +\\d.* in force$`, "m"));
  assert.match(await lydian("token", "revoke", "laptop"), new RegExp(`${id} is revoked`));
  assert.match((await info()).join(" "), /^1 .*is unknown here/s);
});

test("`lydian token create` makes one for `modal token set`, and the owner's cannot be revoked", { skip }, async () => {
  await using folder = await temporaryFolder();
  const env = { MODAL_CONFIG_PATH: join(folder.path, "modal.toml"), MODAL_SERVER_URL: platform.url };
  const { tokenId, tokenSecret } = JSON.parse(await lydian("token", "create", "CI", "--json")) as Record<
    string,
    string
  >;
  const credentials = ["--token-id", tokenId ?? "", "--token-secret", tokenSecret ?? ""];
  await using set = modal(platform, newestClient, ["token", "set", ...credentials, "--profile", "ci"], { env });
  assert.match(await set.finishWith(0), /Token verified successfully/);
  const { tokens } = JSON.parse(await lydian("token", "list", "--json")) as {
    tokens: { tokenId: string; owner?: boolean }[];
  };
  const owner = tokens.find((each) => each.owner)?.tokenId ?? assert.fail("there is no owner");
  await using revoke = runLydian(["token", "revoke", owner, "--data", platform.data]);
  await revoke.finishWith(1);
  assert.match(revoke.output, /is the owner's/);
});

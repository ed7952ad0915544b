/** Where a client finds its platform: the environment wins over the file of the public clients. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { temporaryFolder } from "@lydian/testkit";

import { readProfile } from "../../src/client/profile.ts";

const file = `[one]
server_url = "http://one:1"
token_id = "ak-1"
token_secret = "as-1"

[two]
server_url = "http://two:2"
token_id = "ak-2"
token_secret = "as-2"
environment = "test"
active = true
`;

it("is the active one, the one that is named, or what the environment says", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "modal.toml");
  await writeFile(path, file);
  const read = (env: NodeJS.ProcessEnv) => readProfile({ MODAL_CONFIG_PATH: path, ...env });
  assert.deepEqual(read({}), { serverUrl: "http://two:2", token: { id: "ak-2", secret: "as-2" }, environment: "test" });
  assert.equal(read({ MODAL_PROFILE: "one" }).serverUrl, "http://one:1");
  assert.throws(() => read({ MODAL_PROFILE: "three" }), /has no profile "three"/);
  const other = read({ MODAL_SERVER_URL: "http://three:3", MODAL_TOKEN_ID: "ak-3", MODAL_TOKEN_SECRET: "as-3" });
  assert.deepEqual(other, { serverUrl: "http://three:3", token: { id: "ak-3", secret: "as-3" }, environment: "test" });
});

it("has no token in a container, and reads no file there", () => {
  const env = {
    MODAL_IS_REMOTE: "1",
    MODAL_SERVER_URL: "unix:/door",
    MODAL_TOKEN_ID: "ak-1",
    MODAL_CONFIG_PATH: "/nowhere/x",
  };
  assert.deepEqual(readProfile(env), { serverUrl: "unix:/door", token: undefined, environment: "" });
});

it("says what to do when there is none", () => {
  assert.throws(() => readProfile({ MODAL_CONFIG_PATH: "/nowhere/x" }), /no platform is configured/);
  assert.throws(
    () => readProfile({ MODAL_CONFIG_PATH: "/nowhere/x", MODAL_SERVER_URL: "http://a:1" }),
    /there is no token for http:\/\/a:1/,
  );
});

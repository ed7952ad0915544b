import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

import { parse } from "smol-toml";

import { type Profile, ensureProfile } from "../src/identity.ts";
import { layoutOf } from "../src/paths.ts";
import { findProfile } from "../src/platform-client.ts";
import { runProgram } from "../src/program.ts";
import { captureTerminal } from "./captured-terminal.ts";

/** A home with, on demand, a configuration of the clients, and a data folder of a platform that once ran. */
async function stage(configuration?: string) {
  const folder = await mkdtempDisposable(join(tmpdir(), "lydian-setup-"));
  const file = join(folder.path, ".modal.toml");
  if (configuration !== undefined) writeFileSync(file, configuration);
  const profile = await ensureProfile(join(folder.path, "data", "profile.toml"), "http://127.0.0.1:8700");
  return {
    folder: folder.path,
    file,
    profile,
    tables: () => JSON.parse(JSON.stringify(parse(readFileSync(file, "utf8")))) as Record<string, unknown>,
    /** `answer`: somebody sits at the terminal and says this. */
    async setup(args: string[] = [], answer?: boolean, env: NodeJS.ProcessEnv = {}) {
      const { terminal, out, err, questions } = captureTerminal({ HOME: folder.path, ...env }, answer);
      const status = await runProgram(["setup", "--data", join(folder.path, "data"), ...args], terminal);
      return { status, out: out(), err: err(), questions };
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const tableOf = (profile: Profile) => ({
  server_url: profile.serverUrl,
  token_id: profile.tokenId,
  token_secret: profile.tokenSecret,
});

const others = `[work]
token_id = "ak-work"
token_secret = "as-work"
active = true
loglevel = "DEBUG"

[lydian]
server_url = "http://127.0.0.1:1"
token_id = "ak-old"
token_secret = "as-old"
environment = "main"
`;
const work = { token_id: "ak-work", token_secret: "as-work", loglevel: "DEBUG" };

it("makes the clients' configuration when there is none, readable by its owner only; a second time changes nothing", async () => {
  await using home = await stage();
  assert.equal((await home.setup()).status, 0);
  assert.deepEqual(home.tables(), { lydian: { ...tableOf(home.profile), active: true } });
  const { mode, ino } = statSync(home.file);
  assert.equal(mode & 0o777, 0o600);
  assert.match((await home.setup()).out, /up to date/);
  assert.equal(statSync(home.file).ino, ino);
});

it("keeps other profiles, and is the only active one", async () => {
  await using home = await stage(others);
  const { status, out } = await home.setup(["--profile", "mine"]);
  assert.equal(status, 0);
  assert.match(out, /modal profile activate work/);
  const { mine, work: kept, lydian } = home.tables();
  assert.deepEqual(mine, { ...tableOf(home.profile), active: true });
  assert.deepEqual(kept, work);
  assert.equal((lydian as { token_id: string }).token_id, "ak-old");
});

it("asks before it replaces another platform's profile", async () => {
  await using home = await stage(others);
  const no = await home.setup([], false);
  assert.equal(no.status, 1);
  assert.equal(no.questions.length, 1);
  assert.equal(readFileSync(home.file, "utf8"), others);
  assert.equal((await home.setup([], true)).status, 0);
  assert.deepEqual(home.tables(), {
    work,
    lydian: { ...tableOf(home.profile), environment: "main", active: true },
  });
});

it("asks nobody with --yes, and refuses when there is nobody to ask", async () => {
  await using home = await stage(others);
  const refused = await home.setup();
  assert.equal(refused.status, 1);
  assert.match(refused.err, /would replace the profile "lydian"[^]*--yes/);
  assert.equal(readFileSync(home.file, "utf8"), others);
  assert.deepEqual((await home.setup(["--yes"], false)).questions, []);
  assert.deepEqual((home.tables()["lydian"] as { token_id: string }).token_id, home.profile.tokenId);
});

it("follows the platform to another address without asking", async () => {
  await using home = await stage();
  await home.setup();
  await ensureProfile(join(home.folder, "data", "profile.toml"), "http://127.0.0.1:9000");
  assert.equal((await home.setup()).status, 0);
  assert.equal((home.tables()["lydian"] as { server_url: string }).server_url, "http://127.0.0.1:9000");
});

it("follows MODAL_CONFIG_PATH and links, and leaves the platform's own profile alone", async () => {
  await using home = await stage("");
  const link = join(home.folder, "link.toml");
  symlinkSync(home.file, link);
  assert.equal((await home.setup([], undefined, { MODAL_CONFIG_PATH: link })).status, 0);
  assert.ok("lydian" in home.tables());
  assert.equal(statSync(link).ino, statSync(home.file).ino);
  const own = await home.setup([], undefined, { MODAL_CONFIG_PATH: join(home.folder, "data", "profile.toml") });
  assert.equal(own.status, 1);
  assert.match(own.err, /the platform's own profile/);
});

it("says what to do when there is no platform yet, and when the configuration is damaged", async () => {
  await using home = await stage("[lydian");
  const damaged = await home.setup();
  assert.equal(damaged.status, 1);
  assert.match(damaged.err, /\.modal\.toml is not valid TOML/);
  const { terminal, err } = captureTerminal({ HOME: home.folder });
  assert.equal(await runProgram(["setup", "--data", join(home.folder, "elsewhere")], terminal), 1);
  assert.match(err(), /there is no platform in .*elsewhere yet\nHint: start it with `lydian up --data /);
});

const usual = layoutOf(undefined, {}).profile;

it(
  "is what operators' commands use where the usual data folder has no platform",
  { skip: existsSync(usual) },
  async () => {
    await using home = await stage(others);
    const env = { HOME: home.folder };
    await assert.rejects(findProfile(undefined, env), /there is no platform/, "the active one is of another platform");
    await home.setup(["--yes"]);
    assert.deepEqual(await findProfile(undefined, env), home.profile);
    await assert.rejects(findProfile(join(home.folder, "elsewhere"), env), /there is no platform/, "a folder is named");
  },
);

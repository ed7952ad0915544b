import assert from "node:assert/strict";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

import { PlatformError } from "@lydian/kit";
import { parse } from "smol-toml";

import { ensureProfile, isWorkspaceName, ownerToken, readProfile, workspaceFor } from "../src/identity.ts";

const folder = (): Promise<{ path: string } & AsyncDisposable> => mkdtempDisposable(join(tmpdir(), "lydian-identity-"));

it("makes a token once, in a file of the clients' format that only its owner reads", async () => {
  await using data = await folder();
  const file = join(data.path, "profile.toml");
  const profile = await ensureProfile(file, "http://127.0.0.1:8700");
  assert.match(profile.tokenId, /^ak-[A-Za-z0-9]{22}$/);
  assert.match(profile.tokenSecret, /^as-[A-Za-z0-9]{22}$/);
  const text = readFileSync(file, "utf8");
  assert.deepEqual(JSON.parse(JSON.stringify(parse(text))), {
    lydian: {
      server_url: "http://127.0.0.1:8700",
      token_id: profile.tokenId,
      token_secret: profile.tokenSecret,
      active: true,
    },
  });
  const before = statSync(file);
  assert.equal(before.mode & 0o777, 0o600);
  assert.deepEqual(await ensureProfile(file, "http://127.0.0.1:8700"), profile);
  assert.equal(statSync(file).ino, before.ino); // not even written anew
});

it("follows a change of the address and keeps the token; closes a file that was opened to others", async () => {
  await using data = await folder();
  const file = join(data.path, "profile.toml");
  const first = await ensureProfile(file, "http://127.0.0.1:8700");
  chmodSync(file, 0o644);
  await ensureProfile(file, "http://127.0.0.1:8700");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(await ensureProfile(file, "http://127.0.0.1:9000"), {
    ...first,
    serverUrl: "http://127.0.0.1:9000",
  });
  assert.deepEqual(await readProfile(file), { ...first, serverUrl: "http://127.0.0.1:9000" });
});

it("is its own among profiles that the clients have added, and leaves them as they are", async () => {
  await using data = await folder();
  const file = join(data.path, "profile.toml");
  const first = await ensureProfile(file, "http://127.0.0.1:8700");
  const text = readFileSync(file, "utf8").replace("active = true\n", "");
  writeFileSync(
    file,
    `${text}\n[other]\nserver_url = "https://other"\ntoken_id = "ak-o"\ntoken_secret = "as-o"\nactive = true\n`,
  );
  assert.deepEqual(await readProfile(file), first);
  assert.deepEqual(await ensureProfile(file, "http://127.0.0.1:9000"), {
    ...first,
    serverUrl: "http://127.0.0.1:9000",
  });
  const { lydian, other } = parse(readFileSync(file, "utf8")) as Record<string, Record<string, unknown>>;
  assert.equal(lydian?.["server_url"], "http://127.0.0.1:9000");
  assert.deepEqual({ ...other }, { server_url: "https://other", token_id: "ak-o", token_secret: "as-o", active: true });
});

it("never makes a new token because the file is damaged", async () => {
  await using data = await folder();
  const file = join(data.path, "profile.toml");
  for (const text of ["", "[lydian", "[lydian]\nactive = true\n", 'token_id = "ak-1"\n']) {
    writeFileSync(file, text);
    await assert.rejects(ensureProfile(file, "http://127.0.0.1:8700"), PlatformError);
    assert.equal(readFileSync(file, "utf8"), text);
  }
});

it("gives the server the secret's hash only", () => {
  const token = ownerToken({ serverUrl: "", tokenId: "ak-1", tokenSecret: "as-1" });
  assert.deepEqual(token, { id: "ak-1", secretSha256: createHash("sha256").update("as-1").digest("hex") });
});

it("makes a workspace's name of a login name", () => {
  const cases = { root: "root", "Ada.Lovelace": "ada-lovelace", "_www--data_": "www-data", "": "lydian", Ω: "lydian" };
  for (const [login, workspace] of Object.entries(cases)) assert.equal(workspaceFor(login), workspace);
  for (const login of ["a".repeat(60), `${"a".repeat(39)}.b`]) assert.ok(isWorkspaceName(workspaceFor(login)));
  for (const bad of ["", "A", "a_b", "-a", "a-", "a--b"]) assert.equal(isWorkspaceName(bad), false);
});

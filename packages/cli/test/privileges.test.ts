import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

import { PlatformError } from "@lydian/kit";

import { layoutOf } from "../src/paths.ts";
import { dynamicUser, findObstacle, prepareFolders } from "../src/privileges.ts";

const folder = (): Promise<{ path: string } & AsyncDisposable> => mkdtempDisposable(join(tmpdir(), "lydian-rights-"));
const asRoot = { skip: process.getuid?.() === 0 ? false : "needs root" };
const modeOf = (path: string): number => statSync(path).mode & 0o777;
const ownerOf = (path: string): number => statSync(path).uid;

it("finds users by path, within the numbers that no account has", () => {
  const users = Array.from({ length: 500 }, (_, i) => dynamicUser(`/srv/${i}`));
  assert.ok(users.every((uid) => uid >= 61_184 && uid <= 65_519));
  assert.ok(new Set(users).size > 450);
  assert.equal(dynamicUser("/var/lib/lydian"), dynamicUser("/var/lib/lydian"));
});

it("keeps everything for its owner when that is not root", async () => {
  await using data = await folder();
  const layout = layoutOf(data.path, {});
  assert.equal(await prepareFolders(layout, false), undefined);
  for (const path of [layout.root, layout.server, layout.worker]) assert.equal(modeOf(path), 0o700);
});

it("names the outermost folder that a user cannot pass", async () => {
  await using outer = await folder();
  const inner = join(outer.path, "a", "b");
  mkdirSync(inner, { recursive: true });
  chmodSync(outer.path, 0o711);
  chmodSync(join(outer.path, "a"), 0o700);
  chmodSync(inner, 0o700);
  const stranger = { uid: 61_200, gid: 61_200 };
  assert.equal(await findObstacle(inner, stranger), join(outer.path, "a"));
  chmodSync(join(outer.path, "a"), 0o701);
  assert.equal(await findObstacle(inner, stranger), inner);
  chmodSync(inner, 0o755);
  assert.equal(await findObstacle(inner, stranger), undefined);
});

it("gives the server's folder, and only that, to a user of its own", asRoot, async () => {
  await using data = await folder();
  const layout = layoutOf(data.path, {});
  mkdirSync(join(layout.server, "logs"), { recursive: true }); // from a backup that root restored
  writeFileSync(join(layout.server, "logs", "1"), "");
  const runAs = await prepareFolders(layout, true);
  const uid = dynamicUser(data.path);
  assert.deepEqual(runAs, { uid, gid: uid });
  assert.deepEqual([layout.root, layout.server, layout.worker].map(modeOf), [0o711, 0o700, 0o700]);
  const owners = [layout.root, layout.worker, layout.server, join(layout.server, "logs", "1")].map(ownerOf);
  assert.deepEqual(owners, [0, 0, uid, uid]);
});

it("keeps the user that the folder has", asRoot, async () => {
  await using data = await folder();
  const layout = layoutOf(data.path, {});
  mkdirSync(layout.server);
  chownSync(layout.server, 61_500, 61_500);
  assert.deepEqual(await prepareFolders(layout, true), { uid: 61_500, gid: 61_500 });
});

it("refuses a folder that the server's user cannot reach, and names what is in the way", asRoot, async () => {
  await using outer = await folder();
  await assert.rejects(prepareFolders(layoutOf(join(outer.path, "data"), {}), true), (error) => {
    assert.ok(error instanceof PlatformError);
    assert.ok(error.message.includes(`${outer.path} is closed to others`), error.message);
    assert.match(error.hint ?? "", /\/var\/lib/);
    return true;
  });
});

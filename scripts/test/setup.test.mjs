import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { installClients, newest, venvsFolder } from "../setup/clients.mjs";
import { lack, missingPackages } from "../setup/containers.mjs";
import { findPython } from "../setup/python.mjs";
import { run, SetupError, withLock } from "../setup/stage.mjs";
import { sampleTree } from "./sample-tree.mjs";

/** @type {Record<string, [minors: Record<string, number | undefined>, chosen: string | undefined]>} */
const hosts = {
  "3.11 wherever it is": [{ "a/python3.12": 12, "b/python3.11": 11 }, "b/python3.11"],
  "3.11 under the plain name": [{ "a/python3.13": 13, "a/python3": 11 }, "a/python3"],
  "3.12 before 3.13 and 3.10": [{ "a/python3.13": 13, "a/python3.10": 10, "b/python3.12": 12 }, "b/python3.12"],
  "a newer one last": [{ "a/python3": 15, "b/python3.10": 10 }, "b/python3.10"],
  "one with venv before one without": [{ "a/python3.11": undefined, "b/python3.13": 13 }, "b/python3.13"],
  "none that is too old": [{ "a/python3": 9 }, undefined],
};

for (const [title, [minors, chosen]] of Object.entries(hosts)) {
  test(`python: takes ${title}`, (t) => {
    const root = sampleTree(t, Object.fromEntries(Object.keys(minors).map((path) => [path, ""])));
    const found = findPython([join(root, "a"), join(root, "b")], (path) => minors[path.slice(root.length + 1)]);
    assert.equal(found?.path, chosen && join(root, chosen));
  });
}

test("clients: the newest is so by number, not by letter", () => {
  assert.equal(newest(["1.10.0", "1.9.2", "1.3.5"]), "1.10.0");
});

test("clients: the folder of environments is set, or in the cache", () => {
  assert.equal(venvsFolder({ LYDIAN_VENVS: "/v", XDG_CACHE_HOME: "/c" }), "/v");
  assert.equal(venvsFolder({ XDG_CACHE_HOME: "/c" }), "/c/lydian/venvs");
});

test("clients: complete environments are left alone", async (t) => {
  const whole = { "modal-1.0.0/.lydian-complete": "", "modal-1.0.0/bin/python": "" };
  const folder = sampleTree(t, whole);
  await installClients(folder, ["1.0.0"]);
  assert.ok(!existsSync(join(folder, ".setup.lock")));
});

test("containers: names the packages of the programs that are missing", (t) => {
  const root = sampleTree(t, { "a/runc": "", "b/conmon": "", "b/nft": "", "b/ip": "", "b/tini-static": "" });
  for (const path of ["a/runc", "b/conmon", "b/ip", "b/tini-static"]) chmodSync(join(root, path), 0o755); // and nft cannot be run
  const missing = missingPackages([join(root, "a"), join(root, "b")]);
  assert.deepEqual(missing, ["nftables", "mmdebstrap"]);
  assert.match(lack(missing), /apt-get install nftables mmdebstrap\).*--runtime process/);
});

test("lock: one at a time, and let go after a failure", async (t) => {
  const file = join(sampleTree(t, {}), "folder", "lock");
  /** @type {string[]} */
  const events = [];
  const first = withLock(file, async () => {
    events.push("first in");
    await new Promise((resolve) => setImmediate(resolve));
    events.push("first out");
    throw new Error("failed");
  });
  const second = withLock(file, () => events.push("second in"));
  await assert.rejects(first, /failed/);
  await second;
  assert.deepEqual(events, ["first in", "first out", "second in"]);
  assert.ok(!existsSync(file));
});

test("lock: that of a dead process is taken over", async (t) => {
  const root = sampleTree(t, {});
  const dead = (await run(process.execPath, ["-p", "process.pid"])).trim();
  const file = join(root, "lock");
  writeFileSync(file, dead);
  assert.equal(await withLock(file, () => readFileSync(file, "utf8")), String(process.pid));
});

test("run: a failing command's output is in the error", async () => {
  const script = "console.log('the reason'); process.exitCode = 3";
  await assert.rejects(
    run(process.execPath, ["-e", script]),
    (error) => error instanceof SetupError && error.message.endsWith("ended with 3\nthe reason"),
  );
  await assert.rejects(run("/no/such/command", []), SetupError);
});

test("setup: an unknown option is refused with a message alone", async () => {
  const setup = join(import.meta.dirname, "..", "setup.mjs");
  await assert.rejects(run(process.execPath, [setup, "--client", "--x"]), /setup: unknown option --x[^\n]*$/);
});

test("lock: a folder that cannot be written fails with its name", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lydian-scripts-"));
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "");
  await assert.rejects(
    withLock(join(folder, "lock"), () => undefined),
    /EEXIST|ENOTDIR/,
  );
  rmSync(folder);
});

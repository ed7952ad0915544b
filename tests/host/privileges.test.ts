/** The server's process of a platform that root has started: it has no right that it does not need. */
import assert from "node:assert/strict";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import {
  Program,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  repositoryRoot,
  statusLine,
  temporaryFolder,
  until,
} from "@lydian/testkit";

const skip = process.getuid?.() === 0 ? false : "needs root: only then does the server run as another user";
const platform = await platformOfFile({ runtime: "process" }); // no function runs here

async function serverPid(): Promise<number> {
  const server = await until(
    10_000,
    () => platform.process("server"),
    () => platform.describe("there is no server"),
  );
  return server.pid;
}

/** The four ids of a process (real, effective, saved, of the file system) when they are one. */
function idOf(pid: number, name: "Uid" | "Gid"): number {
  const ids = new Set(statusLine(pid, name)?.split(/\s+/));
  assert.equal(ids.size, 1, `${name}: ${[...ids].join(", ")}`);
  return Number([...ids][0]);
}

test("the server is no root and has no capabilities", { skip }, async () => {
  const pid = await serverPid();
  assert.notEqual(idOf(pid, "Uid"), 0);
  assert.notEqual(idOf(pid, "Gid"), 0);
  assert.equal(statusLine(pid, "Groups"), "");
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) assert.match(statusLine(pid, set) ?? "", /^0+$/, set);
});

test("it reads its own folder and nothing else of the platform's", { skip }, async () => {
  const pid = await serverPid();
  const [uid, gid] = [idOf(pid, "Uid"), idOf(pid, "Gid")];
  // Another process with the server's rights tries what the server itself has no command for.
  const script = `
    import { openSync, readdirSync, writeFileSync } from "node:fs";
    const [data] = process.argv.slice(1);
    const attempts = {
      "list server": () => readdirSync(data + "/server"),
      "list worker": () => readdirSync(data + "/worker"),
      "list data": () => readdirSync(data),
      "read profile.toml": () => openSync(data + "/profile.toml", "r"),
      "read lock": () => openSync(data + "/lock", "r"),
      "write up.json": () => openSync(data + "/up.json", "r+"),
      "make a file": () => writeFileSync(data + "/new", ""),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      try { attempt(); console.log(name + ": done"); } catch (error) { console.log(name + ": " + error.code); }
    }`;
  const args = ["--input-type=module", "-e", script, "--", platform.data];
  await using attempt = new Program(process.execPath, args, { cwd: "/", as: { uid, gid } });
  const lines = (await attempt.finishWith(0)).trim().split("\n");
  assert.deepEqual(lines, [
    "list server: done",
    "list worker: EACCES",
    "list data: EACCES",
    "read profile.toml: EACCES",
    "read lock: EACCES",
    "write up.json: EACCES",
    "make a file: EACCES",
  ]);
});

test("what belongs to the owner alone is closed to all others", async () => {
  await using modes = new Program("stat", [
    "-c",
    "%a",
    ...["server", "worker", "profile.toml"].map((name) => join(platform.data, name)),
  ]);
  assert.equal(await modes.finishWith(0), "700\n700\n600\n");
});

test("it needs to read none of its own code any more, as in a checkout below root's home", { skip }, async () => {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o711);
  const [closed, data] = [join(folder.path, "closed"), join(folder.path, "data")];
  await mkdir(closed, { mode: 0o700 });
  const hide = `mkdir ${closed}/checkout; mount --bind ${repositoryRoot} ${closed}/checkout; exec "$@"`;
  const main = join(closed, "checkout", "packages", "cli", "src", "main.ts");
  const up = ["--conditions=lydian-source", main, "up", "--port", "0", "--data", data, "--runtime", "process"];
  await using closedPlatform = new Program("unshare", ["--mount", "sh", "-ec", hide, "sh", process.execPath, ...up]);
  await closedPlatform.sees(/^Lydian is ready at \S+$/m);
  if (missingClient(newestClient) === false) {
    const env = { ...platform.env, MODAL_CONFIG_PATH: join(data, "profile.toml") };
    await using run = modal({ env }, newestClient, ["run", "-q", "examples/python/hello.py"]);
    assert.equal(await run.finishWith(0), "Hello World!\n");
  }
  closedPlatform.signal("SIGTERM");
  await closedPlatform.finishWith(0);
});

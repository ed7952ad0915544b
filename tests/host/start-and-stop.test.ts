/** `lydian up` from its start to its end: what it refuses, and that it leaves nothing behind. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Platform, type Program, runLydian } from "@lydian/testkit";

const up = (data: string, ...args: string[]): Program => runLydian(["up", "--port", "0", "--data", data, ...args]);
const temporaryFolder = (): ReturnType<typeof mkdtempDisposable> => mkdtempDisposable(join(tmpdir(), "lydian-up-"));

/** How connecting to the port of a URL goes. */
function connecting(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), hostname);
    socket.once("connect", () => socket.destroy());
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once("close", () => resolve("connected"));
  });
}

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  test(`after ${signal} no process, no socket and no sign of life is left`, async () => {
    await using folder = await temporaryFolder();
    const platform = await Platform.start({ data: folder.path });
    const sockets = (): string[] =>
      globSync("**", { cwd: folder.path, withFileTypes: true })
        .filter((entry) => entry.isSocket() || entry.isFIFO())
        .map((entry) => join(entry.parentPath, entry.name));
    try {
      assert.equal(await connecting(platform.url), "connected");
      assert.ok(sockets().length > 0, "the worker's door is one");
      await platform.stop(signal); // fails if a process is left
    } finally {
      await platform[Symbol.asyncDispose]();
    }
    assert.equal(await connecting(platform.url), "ECONNREFUSED");
    assert.deepEqual(sockets(), []);
    assert.equal((await readFile("/proc/net/unix", "utf8")).includes(folder.path), false);
    assert.deepEqual(globSync("up.json", { cwd: folder.path }), []);
  });
}

test("the same folder has the same token at every start", async () => {
  await using folder = await temporaryFolder();
  const profiles: string[] = [];
  for (let start = 0; start < 2; start++) {
    await using _platform = await Platform.start({ data: folder.path });
    profiles.push((await readFile(join(folder.path, "profile.toml"), "utf8")).replace(/server_url = .*/, ""));
  }
  assert.equal(profiles[0], profiles[1]);
});

test("a second one on the same folder is refused, and the first goes on", async () => {
  await using first = await Platform.start();
  await using second = up(first.data);
  await second.finishWith(1);
  assert.match(
    second.stderr,
    new RegExp(`a platform is already running on ${first.data} \\(process \\d+, ${first.url}\\)`),
  );
  assert.match(second.stderr, /Hint: .*kill \d+/);
  assert.equal(await connecting(first.url), "connected");
});

test("a port that is taken is refused in words", async () => {
  await using first = await Platform.start();
  await using folder = await temporaryFolder();
  await using second = up(folder.path, "--port", new URL(first.url).port);
  await second.finishWith(1);
  assert.match(second.stderr, /another program listens on 127\.0\.0\.1 port \d+/);
});

test("a folder that is somebody's is refused and left as it is", async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "letter.txt"), "Dear Ada");
  await using program = up(folder.path);
  await program.finishWith(1);
  assert.match(program.stderr, /is not empty and is not a data folder of Lydian/);
  assert.deepEqual(globSync("**", { cwd: folder.path }).sort(), [".", "letter.txt"]);
});

for (const host of ["0.0.0.0", "::"]) {
  test(`listening on ${host} without TLS is refused`, async () => {
    await using folder = await temporaryFolder();
    await using program = up(folder.path, "--host", host);
    await program.finishWith(1);
    assert.match(program.stderr, /can be reached from other machines/);
    assert.match(program.stderr, /--tls-cert and --tls-key; or --insecure/);
    assert.deepEqual(globSync("*", { cwd: folder.path }), [], "nothing was made");
  });
}

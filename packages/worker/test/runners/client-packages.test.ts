/** With programs that stand for a Python with pip; installing for real needs the network and is a story's business. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { silentLogger, systemClock } from "@lydian/kit";

import { ClientPackages } from "../../src/runners/client-packages.ts";
import { temporaryFolder } from "../support/temporary.ts";

const pip = `#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
case "$*" in
  *"pip --version"*) exit 0;;
  *"pip install"*) mkdir -p "$5/modal"; echo "0.0" > "$5/modal/version";;
esac`;

const failing = `#!/bin/sh
case "$*" in *"pip install"*) echo "Looking in indexes: https://example.test" >&2; echo "ERROR: No matching distribution found for modal" >&2; exit 1;; esac`;

async function bench(t: TestContext, script: string) {
  const root = await temporaryFolder(t);
  await writeFile(join(root, "python3.11"), script, { mode: 0o755 });
  const clients = new ClientPackages({ cache: join(root, "cache"), clock: systemClock, logger: silentLogger });
  t.after(() => clients.close());
  const interpreter = { program: join(root, "python3.11"), minor: "3.11" };
  const lines: string[] = [];
  return {
    root,
    lines,
    clients,
    interpreter,
    waiting: { say: (line: string) => lines.push(line), signal: new AbortController().signal },
  };
}

it("installs once what many want at once, and leaves nothing half done", async (t) => {
  const { root, clients, interpreter, waiting } = await bench(t, pip);
  const other = new ClientPackages({ cache: join(root, "cache"), clock: systemClock, logger: silentLogger });
  await mkdir(join(root, "cache", "clients", ".modal-1.6.4-py3.11.tmp-left"), { recursive: true });
  const all = [clients, clients, other].map((packages) => packages.folder("1.6.4", interpreter, waiting));
  const folders = new Set(await Promise.all(all));
  assert.deepEqual([...folders], [join(root, "cache", "clients", "modal-1.6.4-py3.11")]);
  const calls = (await readFile(join(root, "calls"), "utf8")).split("\n");
  assert.equal(calls.filter((call) => call.includes("pip install")).length, 1);
  assert.ok(calls.some((call) => call.endsWith("modal==1.6.4")));
  const left = (await readdir(join(root, "cache", "clients"))).filter((name) => name.includes("tmp"));
  assert.deepEqual(left, []);
});

it("fails with pip's last lines, and tries again the next time", async (t) => {
  const { root, clients, interpreter, waiting } = await bench(t, failing);
  await assert.rejects(clients.folder("9.9.9", interpreter, waiting), {
    message: /pip install failed:\nLooking in indexes: .*\nERROR: No matching distribution found for modal$/,
    hint: /package index/,
  });
  await writeFile(join(root, "python3.11"), pip, { mode: 0o755 });
  await clients.folder("9.9.9", interpreter, waiting);
});

it("refuses what is no version before it reaches a path or pip", async (t) => {
  const { root, clients, interpreter, waiting } = await bench(t, pip);
  for (const version of ["", "1.6", "../../x", "1.6.4/../..", "1.6.4 --index-url=x", "1.6.4\n", "--help"]) {
    await assert.rejects(clients.folder(version, interpreter, waiting), /is no version of the client/, version);
  }
  assert.deepEqual(await readdir(root), ["python3.11"]);
});

it("says in the container's log what takes long, and lets one who stops waiting go", async (t) => {
  const { clients, interpreter, lines, waiting } = await bench(
    t,
    pip.replace('mkdir -p "$5/modal"', 'sleep 1.3; mkdir -p "$5/modal"'),
  );
  const impatient = new AbortController();
  const first = clients.folder("1.6.4", interpreter, { say: () => {}, signal: impatient.signal });
  const second = clients.folder("1.6.4", interpreter, waiting);
  impatient.abort(new Error("enough"));
  await assert.rejects(first, /enough/);
  await second;
  assert.equal(lines.length, 2);
  assert.match(lines.join("\n"), /^Installing the client 1\.6\.4 for Python 3\.11 …\nInstalled .* in 1\.\d s$/);
});

/** With programs that stand for a Python with pip; installing for real needs the network and is a story's business. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { promisify } from "node:util";

import { silentLogger, systemClock } from "@lydian/kit";

import { ClientPackages } from "../../src/runners/client-packages.ts";
import { Interpreters } from "../../src/runners/interpreters.ts";
import { temporaryFolder } from "../support/temporary.ts";

const run = promisify(execFile);

const pip = `#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
case "$*" in
  *"pip --version"*) exit 0;;
  *"pip install"*) mkdir -p "$5/modal" "$5/aiohttp"; echo "0.0" > "$5/modal/version";;
esac`;

const failing = `#!/bin/sh
case "$*" in *"pip install"*) echo "Looking in indexes: https://example.test" >&2; echo "ERROR: No matching distribution found for modal" >&2; exit 1;; esac`;

async function bench(t: TestContext, script: string) {
  const root = await temporaryFolder(t);
  await writeFile(join(root, "python3.11"), script, { mode: 0o755 });
  const interpreters = { find: async (minor: string) => ({ program: join(root, "python3.11"), minor }) };
  const options = { cache: join(root, "cache"), interpreters, clock: systemClock, logger: silentLogger };
  const clients = new ClientPackages(options);
  t.after(() => clients.close());
  const lines: string[] = [];
  return {
    root,
    lines,
    clients,
    options,
    waiting: { say: (line: string) => lines.push(line), signal: new AbortController().signal },
  };
}

it("installs once what many want at once, and leaves nothing half done", async (t) => {
  const { root, clients, options, waiting } = await bench(t, pip);
  const other = new ClientPackages(options);
  const cache = join(root, "cache", "clients", "4");
  await mkdir(join(cache, ".modal-1.6.4-py3.11.tmp-left"), { recursive: true });
  const all = [clients, clients, other].map((packages) => packages.find("1.6.4", "3.11", waiting));
  const folder = join(cache, "modal-1.6.4-py3.11");
  const expected = { own: join(folder, "own"), dependencies: join(folder, "dependencies") };
  assert.deepEqual(await Promise.all(all), [expected, expected, expected]);
  assert.deepEqual(await readdir(expected.own), ["modal", "sitecustomize.py"]);
  assert.deepEqual(await readdir(expected.dependencies), ["aiohttp"]);
  const calls = (await readFile(join(root, "calls"), "utf8")).split("\n");
  assert.equal(calls.filter((call) => call.includes("pip install")).length, 1);
  assert.ok(calls.some((call) => call.endsWith("modal==1.6.4")));
  const left = (await readdir(cache)).filter((name) => name.includes("tmp"));
  assert.deepEqual(left, []);
});

it("lets Python collect garbage later, once, and finds the dependencies last", async (t) => {
  const { clients, waiting } = await bench(t, pip);
  const { own, dependencies } = await clients.find("1.6.4", "3.11", waiting);
  const shown = await temporaryFolder(t);
  await mkdir(join(shown, "__modal"));
  await symlink(own, join(shown, "pkg"));
  await symlink(dependencies, join(shown, "__modal", "deps"));
  const { program } = await new Interpreters().any();
  const ask = async (script: string, env = { PYTHONPATH: join(shown, "pkg") }): Promise<unknown> => {
    const { stdout } = await run(program, ["-c", `import gc, json, sys\n${script}`], { env });
    return JSON.parse(stdout);
  };
  const threshold = "print(json.dumps(gc.get_threshold()))";
  const usual = await ask(threshold, { PYTHONPATH: "" });
  assert.equal(await ask("print(json.dumps(sys.path[-1]))"), join(shown, "__modal", "deps"));
  const collected = "sum(generation['collections'] for generation in gc.get_stats())";
  assert.equal(await ask(`n = ${collected}; keep = [[] for _ in range(50_000)]; print(${collected} - n)`), 0);
  assert.deepEqual(await ask(`keep = [[] for _ in range(150_000)]; ${threshold}`), usual);
  assert.deepEqual(await ask(`gc.collect(); ${threshold}`), usual);
  assert.deepEqual(await ask(`gc.set_threshold(5, 6, 7); gc.collect(); ${threshold}`), [5, 6, 7]);
});

it("fails with pip's last lines, and tries again the next time", async (t) => {
  const { root, clients, waiting } = await bench(t, failing);
  await assert.rejects(clients.find("9.9.9", "3.11", waiting), {
    message: /pip install failed:\nLooking in indexes: .*\nERROR: No matching distribution found for modal$/,
    hint: /package index/,
  });
  await writeFile(join(root, "python3.11"), pip, { mode: 0o755 });
  await clients.find("9.9.9", "3.11", waiting);
});

it("refuses what is no version before it reaches a path or pip", async (t) => {
  const { root, clients, waiting } = await bench(t, pip);
  for (const version of ["", "1.6", "../../x", "1.6.4/../..", "1.6.4 --index-url=x", "1.6.4\n", "--help"]) {
    await assert.rejects(clients.find(version, "3.11", waiting), /is no version of the client/, version);
  }
  for (const minor of ["", "3", "../3.11", "3.11/.."]) {
    await assert.rejects(clients.find("1.6.4", minor, waiting), /is no version of Python/, minor);
  }
  assert.deepEqual(await readdir(root), ["python3.11"]);
});

it("says in the container's log what takes long, and lets one who stops waiting go", async (t) => {
  const { clients, lines, waiting } = await bench(
    t,
    pip.replace('mkdir -p "$5/modal"', 'sleep 1.3; mkdir -p "$5/modal"'),
  );
  const impatient = new AbortController();
  const first = clients.find("1.6.4", "3.11", { say: () => {}, signal: impatient.signal });
  const second = clients.find("1.6.4", "3.11", waiting);
  impatient.abort(new Error("enough"));
  await assert.rejects(first, /enough/);
  await second;
  assert.equal(lines.length, 2);
  assert.match(lines.join("\n"), /^Installing the client 1\.6\.4 for Python 3\.11 …\nInstalled .* in 1\.\d s$/);
});

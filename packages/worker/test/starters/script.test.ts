/** starter.py alone, with a small module in the client's place. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import net from "node:net";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { Interpreters } from "../../src/runners/interpreters.ts";
import { temporaryFolder } from "../support/temporary.ts";

const script = fileURLToPath(new URL("../../starter/starter.py", import.meta.url));

/** What it is when it runs: says how it was started, and what it finds. */
const program = `
import json, os, sys
if __name__ == "__main__":
    try:
        import laid
        found = laid.text
    except ImportError:
        found = None
    print(json.dumps({
        "anew": not any(word.endswith("starter.py") for word in sys.orig_argv),
        "argv": sys.argv, "path": sys.path[0], "cwd": os.getcwd(), "found": found, "variables": dict(os.environ),
    }))
`;

interface Said {
  anew: boolean;
  argv: string[];
  path: string;
  cwd: string;
  found: string | null;
  variables: Record<string, string>;
}

/** A starter that waits; its files are shown where it is told that they are. */
async function waiting(t: TestContext) {
  const folder = await temporaryFolder(t);
  const [home, packages] = [join(folder, "home"), join(folder, "packages")];
  for (const each of [home, packages]) await mkdir(each);
  const laid: string[] = [];
  await writeFile(join(packages, "program.py"), program);
  const listener = net.createServer();
  t.after(() => listener.close());
  listener.listen(join(folder, "go"));
  const connected = once(listener, "connection") as Promise<[net.Socket]>;
  const { program: python } = await new Interpreters().any();
  const env = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8", PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1" };
  const child = spawn(python, [script, "program", join(folder, "go")], { cwd: home, env });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (data) => (output += String(data)));
  child.stderr.on("data", (data) => (output += String(data)));
  const ended = once(child, "close") as Promise<[number]>;
  const [go] = await connected;
  return {
    ...{ child, go, home, env },
    async lay(path: string, text: string): Promise<void> {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      laid.push(path);
    },
    async become(more: Record<string, string> = {}): Promise<Said> {
      const told = { argv: [python, "-m", "program"], env: { ...env, ...more }, cwd: home, laid };
      const taken = once(go, "data");
      go.write(`${JSON.stringify(told)}\n`);
      await taken;
      const [code] = await ended;
      assert.equal(code, 0, output);
      return JSON.parse(output) as Said;
    },
    async end(): Promise<[number, string]> {
      const [code] = await ended;
      return [code, output];
    },
  };
}

test("it becomes the program, with its environment, arguments and files", async (t) => {
  const starter = await waiting(t);
  await starter.lay(join(starter.home, "laid.py"), "text = 'as laid'");
  const said = await starter.become({ SECRET: "x", MODAL_TASK_ID: "ta-1" });
  assert.deepEqual([said.anew, said.found, said.path, said.cwd], [false, "as laid", starter.home, starter.home]);
  assert.match(said.argv.join(" "), /^\S+\/program\.py$/);
  assert.equal(said.variables["SECRET"], "x");
});

const readAtStart: Record<string, string>[] = [
  { PYTHONOPTIMIZE: "1" },
  { LD_LIBRARY_PATH: "/nowhere" },
  { LC_ALL: "C" },
  { MALLOC_ARENA_MAX: "1" },
  { MODAL_LOGLEVEL: "INFO" },
];
for (const variables of readAtStart) {
  test(`${Object.keys(variables).join()}: Python is started anew`, async (t) => {
    const starter = await waiting(t);
    await starter.lay(join(starter.home, "laid.py"), "text = 'as laid'");
    const said = await starter.become(variables);
    assert.deepEqual([said.anew, said.found], [true, "as laid"]);
    for (const [name, value] of Object.entries(variables)) assert.equal(said.variables[name], value);
  });
}

for (const name of ["runpy.py", "socket/__init__.py", "usercustomize.py", "more.pth"]) {
  test(`${name}, which would have been found at the start: Python is started anew`, async (t) => {
    const starter = await waiting(t);
    await starter.lay(join(starter.home, name), "");
    assert.equal((await starter.become()).anew, true);
  });
}

test("it ends when the worker goes away", async (t) => {
  const starter = await waiting(t);
  starter.go.destroy();
  const [code, output] = await starter.end();
  assert.equal(code, 1);
  assert.match(output, /the worker went away/);
});

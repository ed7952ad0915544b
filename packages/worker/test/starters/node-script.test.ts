/** starter.mjs alone, with a small module in the runner's place. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { temporaryFolder } from "../support/temporary.ts";

const script = fileURLToPath(new URL("../../starter/starter.mjs", import.meta.url));

/** What it is when it runs: says how it was started, and what it finds. */
const program = `
const imported = process.env.WHEN;
export async function main() {
  console.log(JSON.stringify({
    imported, argv: process.argv.slice(1), execArgv: process.execArgv, cwd: process.cwd(), env: { ...process.env },
    hour: new Date(0).getHours(),
  }));
}
if (process.argv[1] === import.meta.filename) await main();
`;

interface Said {
  imported: string;
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  hour: number;
}

async function waiting(t: TestContext) {
  const folder = await temporaryFolder(t);
  const runner = join(folder, "runner.js");
  await mkdir(join(folder, "web"));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await writeFile(runner, program);
  for (const part of ["index.js", "web/index.js", "web/node.js"]) await writeFile(join(folder, part), "");
  const listener = net.createServer();
  t.after(() => listener.close());
  listener.listen(join(folder, "go"));
  const connected = once(listener, "connection") as Promise<[net.Socket]>;
  const env = { PATH: "/usr/bin:/bin", WHEN: "before", LEFT: "1", TZ: "UTC" };
  const child = spawn(process.execPath, [script, runner, join(folder, "go")], { cwd: folder, env });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += String(data)));
  const ended = once(child, "close") as Promise<[number]>;
  const [go] = await connected;
  return {
    go,
    runner,
    async become(more: Record<string, string> = {}, cwd = "/"): Promise<Said> {
      const env = { PATH: "/bin", WHEN: "after", TZ: "Asia/Tokyo", ...more };
      const taken = once(go, "data");
      go.write(`${JSON.stringify({ argv: [process.execPath, runner], env, cwd, laid: [] })}\n`);
      assert.equal(String((await taken)[0]), ".");
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

test("it becomes the program, with its environment, folder and time zone", async (t) => {
  const starter = await waiting(t);
  const said = await starter.become();
  assert.deepEqual(said.env, { PATH: "/bin", WHEN: "after", TZ: "Asia/Tokyo" });
  assert.deepEqual([said.argv, said.cwd, said.hour], [[starter.runner], "/", 9]);
  assert.equal(said.imported, "before");
});

test("it starts Node anew for what that reads at its start", async (t) => {
  const starter = await waiting(t);
  const said = await starter.become({ NODE_OPTIONS: "--max-old-space-size=300" });
  assert.equal(said.imported, "after");
  assert.equal(said.env["NODE_OPTIONS"], "--max-old-space-size=300");
});

test("it ends when the worker goes away without a word", async (t) => {
  const starter = await waiting(t);
  starter.go.destroy();
  const [code, output] = await starter.end();
  assert.equal(code, 1);
  assert.match(output, /the worker went away/);
});

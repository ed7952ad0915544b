/** What is published, as a user has it: packed, installed by npm and by pnpm into an empty project, checked and run. It needs the index of npm. */
import assert from "node:assert/strict";
import { cp, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { platformOfFile, Program, repositoryRoot, temporaryFolder } from "@lydian/testkit";

const platform = await platformOfFile();
const packages = ["contract", "kit", "sdk", "server", "worker", "cli"];
const tools = { typescript: "7.0.2", "@types/node": "26.6.6", "@arethetypeswrong/cli": "0.18.5" };
const minutes = 60_000;
let tarballs: Awaited<ReturnType<typeof temporaryFolder>>;

async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  // As a user has it: nothing of this checkout is found.
  const env = { ...platform.env, LYDIAN_REGISTRY: "none", NODE_OPTIONS: "" };
  await using running = new Program(program, args, { cwd, env });
  return await running.finishWith(0, 5 * minutes);
}

/** Where each package's tarball is, by its name. */
async function packed(): Promise<Record<string, string>> {
  const names = await readdir(tarballs.path);
  return Object.fromEntries(
    names.map((name) => [
      name.replace(/-\d.*$/, "").replace(/^lydian-/, "@lydian/"),
      `file:${join(tarballs.path, name)}`,
    ]),
  );
}

async function project(folder: string, more: object): Promise<void> {
  const manifest = { name: "user", private: true, type: "module", ...more };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  for (const name of ["hello.ts", "model.ts", "engine.ts", "client.ts"])
    await cp(join(repositoryRoot, "examples/typescript", name), join(folder, name));
  // With declarations, as `tsc --init` has it: then each type that is exported has to have a name that others can import.
  const strict = { strict: true, module: "nodenext", target: "es2024", lib: ["es2024", "esnext.disposable"] };
  const own = { declaration: true, outDir: "out", rewriteRelativeImportExtensions: true };
  const compilerOptions = { ...strict, ...own, types: ["node"] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
}

before(
  async () => {
    tarballs = await temporaryFolder();
    await run(repositoryRoot, "npm", "run", "-s", "build");
    for (const name of packages)
      await run(join(repositoryRoot, "packages", name), "npm", "pack", "--silent", "--pack-destination", tarballs.path);
  },
  { timeout: 10 * minutes },
);

after(() => tarballs[Symbol.asyncDispose]());

test("npm: strict types, exports, a run, and an import that loads nothing of the command", async () => {
  await using folder = await temporaryFolder();
  await project(folder.path, { dependencies: await packed(), devDependencies: tools });
  const here = (program: string, ...args: string[]): Promise<string> => run(folder.path, program, ...args);
  await here("npm", "install", "--no-audit", "--no-fund");
  await here("node_modules/.bin/tsc");
  await here("node_modules/.bin/attw", "--pack", "node_modules/lydian", "--profile", "esm-only");
  assert.match(await here("node_modules/.bin/lydian", "run", "hello.ts"), /Hello, World, from linux/);
  await writeFile(
    join(folder.path, "loads.js"),
    `import { registerHooks } from "node:module";
     registerHooks({ resolve: (name, context, next) => { const found = next(name, context); console.log(found.url); return found; } });
     await import("lydian");`,
  );
  const loaded = await here(process.execPath, "loads.js");
  assert.match(loaded, /node_modules\/lydian\/dist\/app\.js/);
  assert.doesNotMatch(loaded, /@lydian\/(?:cli|server|worker)|node_modules\/esbuild|node_modules\/pino/);
});

test("pnpm: a run", async () => {
  await using folder = await temporaryFolder();
  const own = await packed();
  await project(folder.path, { dependencies: { lydian: own["lydian"] }, pnpm: { overrides: own } });
  await run(folder.path, "npm", "exec", "--yes", "--package", "pnpm@10.18.3", "--", "pnpm", "install");
  const output = await run(folder.path, "node_modules/.bin/lydian", "run", "hello.ts");
  assert.match(output, /Hello, World, from linux/);
});

/** As a user writes it, with the frameworks' own packages, which this repository has not. */
const frameworks = `
import { App } from "lydian";
import { fromNode } from "lydian/node";
import { Hono } from "hono";
import express from "express";
import Fastify from "fastify";
const app = new App("frameworks");
export const hono = app.webEndpoint(new Hono().get("/hello/:name", (c) => c.text("hono " + c.req.param("name"))));
export const expressed = app.webEndpoint(() => {
  const own = express();
  own.use(express.json());
  own.post("/hello", (request, response) => void response.status(201).json({ express: request.body.name }));
  return fromNode(own);
});
export const fast = app.webEndpoint(async () => {
  const own = Fastify();
  own.get("/hello/:name", async (request: { params: unknown }) => ({ fastify: (request.params as { name: string }).name }));
  await own.ready();
  return fromNode(own.routing);
});
export const version = app.function(() => process.version);
/** One of them keeps the container, which has others at hand by then: its thread gives those to another one. */
export const doubled = app.function((n: number) => {
  for (const until = Date.now() + (n === 50 ? 500 : 0); Date.now() < until;);
  return n * 2;
});
export const main = app.localEntrypoint(async () => {
  const ask = async (func: { getWebUrl(): Promise<string> }, path: string, init = {}) => {
    const { port, host } = new URL(await func.getWebUrl());
    const { get, request } = await import("node:http");
    return await new Promise<string>((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port, path, headers: { host, "content-type": "application/json" }, ...init }, async (answer) => {
        let text = answer.statusCode + " ";
        for await (const piece of answer) text += piece;
        resolve(text);
      });
      asked.on("error", reject).end("method" in init ? '{"name":"Ada"}' : undefined);
    });
  };
  console.log(await ask(hono, "/hello/Ada"));
  console.log(await ask(expressed, "/hello", { method: "POST" }));
  console.log(await ask(fast, "/hello/Ada"));
  console.log("node", await version.remote());
  let sum = 0;
  for await (const twice of doubled.map(Array.from({ length: 200 }, (_, index) => index))) sum += twice;
  console.log("sum", sum);
});
`;

test("Hono, Express and Fastify, and a map, on the Node that the project's version file names", async () => {
  await using folder = await temporaryFolder();
  const others = { hono: "4.13.19", express: "5", fastify: "5" };
  await project(folder.path, { dependencies: { ...(await packed()), ...others } });
  await writeFile(join(folder.path, "frameworks.ts"), frameworks);
  await writeFile(join(folder.path, ".nvmrc"), "22\n");
  await run(folder.path, "npm", "install", "--no-audit", "--no-fund");
  const output = await run(folder.path, "node_modules/.bin/lydian", "run", "-q", "frameworks.ts");
  assert.match(output, /^200 hono Ada$/m);
  assert.match(output, /^201 \{"express":"Ada"\}$/m);
  assert.match(output, /^200 \{"fastify":"Ada"\}$/m);
  assert.match(output, /^node v22\./m);
  assert.match(output, /^sum 39800$/m);
});

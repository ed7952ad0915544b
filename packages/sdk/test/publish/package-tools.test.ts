/** Lock files as they go into an image: without this package, and never with what lies on this machine alone. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { temporaryFolder } from "@lydian/testkit";

import { lockTools } from "../../src/publish/package-tools.ts";

const folders = new Set([".", "tool"]);

function stripped(lockName: string, text: string): string {
  const tool = lockTools[lockName]?.(text) ?? assert.fail(`${lockName} is not known`);
  return tool.strip(text, { lockName, folders });
}

it("leaves this package out, which comes with the program", () => {
  const pnpm = (more: string): string =>
    `lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n${more}      ms:\n        specifier: 2.1.3\n        version: 2.1.3\n`;
  const own = "      lydian:\n        specifier: link:../lydian\n        version: link:../lydian\n";
  assert.equal(stripped("pnpm-lock.yaml", pnpm(own)), pnpm(""));
  const bun = (more: string): string => `{\n  "workspaces": {\n${more}    "ms": "2.1.3",\n  },\n}\n`;
  assert.equal(stripped("bun.lock", bun('    "lydian": "0.1.0",\n')), bun(""));
});

it("leaves out of npm's lock file what only this package needs, and keeps what others need as well", () => {
  const packages = {
    "": { dependencies: { lydian: "1", hono: "4" }, workspaces: ["tool"] },
    "node_modules/lydian": { resolved: "file:../tars/lydian.tgz", dependencies: { "@lydian/cli": "1", ms: "2" } },
    "node_modules/@lydian/cli": { resolved: "file:../tars/cli.tgz", dependencies: { grpc: "1", ms: "2" } },
    "node_modules/grpc": { dependencies: { inner: "1" } },
    "node_modules/grpc/node_modules/inner": {},
    "node_modules/hono": { dependencies: { inner: "2" }, peerDependencies: { absent: "1" } },
    "node_modules/hono/node_modules/inner": { dependencies: { deep: "1" } },
    "node_modules/deep": {},
    "node_modules/ms": {},
    "node_modules/tool": { link: true, resolved: "tool" },
    tool: { dependencies: { ms: "2", "@lydian/kit": "1" } },
    "node_modules/x": { dev: true },
  };
  const found = JSON.parse(stripped("package-lock.json", JSON.stringify({ lockfileVersion: 3, packages }))) as {
    packages: typeof packages;
  };
  assert.deepEqual(Object.keys(found.packages).toSorted(), [
    "",
    "node_modules/deep",
    "node_modules/hono",
    "node_modules/hono/node_modules/inner",
    "node_modules/ms",
    "node_modules/tool",
    "tool",
  ]);
  assert.deepEqual(found.packages.tool.dependencies, { ms: "2" });
  assert.deepEqual(found.packages[""].dependencies, { hono: "4" });
});

it("refuses what lies on this machine, by its name", () => {
  assert.throws(
    () =>
      stripped(
        "pnpm-lock.yaml",
        "importers:\n\n  tool:\n    dependencies:\n      x:\n        specifier: link:../../x\n        version: link:../../x\n",
      ),
    /pnpm-lock\.yaml links \.\.\/\.\.\/x, which lies outside/,
  );
  assert.throws(() => stripped("yarn.lock", '"x@file:./x":\n  version "1"\n'), /yarn\.lock has x, which lies on/);
  assert.throws(
    () => stripped("bun.lock", '{\n  "packages": {\n    "x": ["x@file:x", {}],\n  }\n}\n'),
    /bun\.lock has x, which lies on/,
  );
  const linked = { "": { dependencies: { x: "1" } }, "node_modules/x": { link: true, resolved: "../x" } };
  const lock = { lockfileVersion: 3, packages: linked };
  assert.throws(() => stripped("package-lock.json", JSON.stringify(lock)), /has node_modules\/x, which lies on/);
});

it("refuses a lock file that was made without what packages need on Linux", () => {
  const packages = {
    "": { dependencies: { a: "1" } },
    "node_modules/a": { optionalDependencies: { "a-darwin": "1", "a-linux-x64": "1" } },
  };
  assert.throws(
    () => stripped("package-lock.json", JSON.stringify({ lockfileVersion: 3, packages })),
    /lacks a-linux-x64, which node_modules\/a needs on Linux/,
  );
});

it("takes of .npmrc the registries, and tokens only where the environment has them", async () => {
  await using folder = await temporaryFolder();
  await writeFile(
    join(folder.path, ".npmrc"),
    "@team:registry=https://npm.team.example\n//npm.team.example/:_authToken=${NPM_TOKEN}\n//npm.team.example/:_authToken=secret\nregistry=https://me:secret@x.example\n",
  );
  assert.deepEqual(lockTools["package-lock.json"]?.("").settings(folder.path), {
    ".lydian-npmrc": "@team:registry=https://npm.team.example\n//npm.team.example/:_authToken=${NPM_TOKEN}\n",
  });
});

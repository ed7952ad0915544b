/** What ships of a program: its own files with what they run as; packages are named, and what is wrong says where. */
import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";

import { temporaryFolder } from "@lydian/testkit";

import { packagesOf } from "../../src/publish/packages.ts";
import { filesBeside } from "../../src/publish/shipped-files.ts";
import { assetsOf, traceSources } from "../../src/publish/source-graph.ts";

async function write(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

it("follows imports, without extensions, by paths and into linked packages, and lowers what Node does not run", async () => {
  await using folder = await temporaryFolder();
  await write(folder.path, {
    "package-lock.json": "{}",
    "app/main.ts":
      'import { Color } from "./color"; import "#deep"; import { used } from "@team/tool"; import "zod"; import "node:fs"; import "lydian"; export { Color, used };',
    "app/color.ts": "export enum Color { red }",
    "app/deep.ts": "export {};",
    "app/package.json": '{"imports":{"#deep":"./deep.ts"}}',
    "tool/package.json": '{"name":"@team/tool","exports":"./index.ts"}',
    "tool/index.ts": "export const used: number = 1;",
    "node_modules/zod/package.json": '{"name":"zod","main":"index.js"}',
    "node_modules/zod/index.js": "",
  });
  await mkdir(join(folder.path, "node_modules/@team"));
  await symlink(join(folder.path, "tool"), join(folder.path, "node_modules/@team/tool"));
  const { root, entry, modules, packages } = await traceSources(join(folder.path, "app/main.ts"));
  assert.deepEqual([root, entry], [folder.path, "app/main.ts"]);
  assert.deepEqual(modules.map(({ path }) => path).toSorted(), [
    "app/color.ts",
    "app/deep.ts",
    "app/main.ts",
    "tool/index.ts",
  ]);
  const main = modules.find(({ path }) => path === "app/main.ts");
  assert.deepEqual(main?.imports, { "./color": "app/color.ts", "#deep": "app/deep.ts", "@team/tool": "tool/index.ts" });
  assert.deepEqual([...packages.keys()], ["zod"]);
  assert.doesNotMatch(modules.find(({ path }) => path === "app/color.ts")?.code ?? "enum", /enum/);
});

it("says where something is wrong", async () => {
  await using folder = await temporaryFolder();
  await write(folder.path, {
    "broken.ts": 'import "./missing.ts";\nconst = 1;',
    "outer/a.ts": "",
    "inner/package.json": "{}",
    "inner/main.ts": 'import "../outer/a.ts";',
  });
  await assert.rejects(traceSources(join(folder.path, "broken.ts")), /broken\.ts:2:\d+: /);
  await assert.rejects(
    traceSources(join(folder.path, "inner/main.ts")),
    /outer\/a\.ts is imported, and lies outside of .*inner/,
  );
  await assert.rejects(traceSources(join(folder.path, "none.ts")), /none\.ts does not exist/);
});

it("ships assets and globs, and never what holds secrets", async () => {
  await using folder = await temporaryFolder();
  await write(folder.path, {
    "main.ts": 'new URL("./data.json", import.meta.url); new URL("./none.txt", import.meta.url);',
    "data.json": "1",
    "docs/a.md": "a",
    "docs/.env": "SECRET=1",
    "docs/server.key": "key",
  });
  const graph = await traceSources(join(folder.path, "main.ts"));
  const assets = assetsOf(graph);
  assert.deepEqual(await filesBeside(folder.path, assets, ["docs/**"]), ["data.json", "docs/a.md"]);
  await assert.rejects(filesBeside(folder.path, ["docs/.env"], []), /docs\/\.env is named by new URL/);
  await assert.rejects(filesBeside(folder.path, [], ["../x"]), /leads out of/);
  await assert.rejects(filesBeside(folder.path, [], ["*.nothing"]), /matches no file/);
});

it("installs what the lock file says, and refuses by name what it cannot", async () => {
  await using folder = await temporaryFolder();
  const lock = {
    lockfileVersion: 3,
    packages: {
      "": { dependencies: { ms: "2", lydian: "1" }, devDependencies: { x: "1" }, scripts: { prepare: "husky" } },
      "node_modules/ms": { version: "2.1.3" },
      "node_modules/x": { dev: true },
      "node_modules/lydian": { version: "1" },
    },
  };
  await write(folder.path, {
    "main.ts": 'import "ms";',
    "package.json": JSON.stringify({
      dependencies: { ms: "2", lydian: "1" },
      devDependencies: { x: "1" },
      scripts: { prepare: "husky" },
    }),
    "package-lock.json": JSON.stringify(lock),
    "dev.ts": 'import "x";',
    "other.ts": 'import "other/deep";',
  });
  const of = async (file: string) => packagesOf(await traceSources(join(folder.path, file)));
  const found = await of("main.ts");
  const { "package.json": manifest = "", "package-lock.json": kept = "" } = found?.files ?? {};
  assert.deepEqual(JSON.parse(manifest), {
    name: "program",
    version: "0.0.0",
    dependencies: { ms: "2" },
    private: true,
  });
  assert.deepEqual(Object.keys((JSON.parse(kept) as typeof lock).packages), ["", "node_modules/ms"]);
  await assert.rejects(of("dev.ts"), /dev\.ts imports "x", which is only among the devDependencies/);
  await assert.rejects(of("other.ts"), /other\.ts imports "other", which is no dependency/);
  const linked = { ...lock.packages, "node_modules/ms": { link: true, resolved: "../ms" } };
  await write(folder.path, { "package-lock.json": JSON.stringify({ ...lock, packages: linked }) });
  await assert.rejects(of("main.ts"), /package-lock\.json has node_modules\/ms, which lies on this machine/);
});

/** Packages of a workspace in TypeScript, installed as the lock file of each tool says, and by name. It needs the index of npm. */
import assert from "node:assert/strict";
import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { platformOfFile, repositoryRoot, runLydian, temporaryFolder } from "@lydian/testkit";

const platform = await platformOfFile();
const program = join(repositoryRoot, "tests/soak/apps/locked");
const locks = ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "yarn-berry.lock", "bun.lock"];

for (const lock of locks) {
  test(lock, { skip: platform.runtime === "runc" ? false : "packages are a step of an image" }, async () => {
    await using folder = await temporaryFolder();
    await cp(join(program, "workspace"), folder.path, { recursive: true });
    // As it says on the author's machine, where this test's own packages stand for what the tool would install.
    const write = async (path: string, text: string): Promise<void> => {
      await mkdir(dirname(join(folder.path, path)), { recursive: true });
      await writeFile(join(folder.path, path), text);
    };
    await write("node_modules/ms/index.js", "module.exports = () => 0;");
    await mkdir(join(folder.path, "node_modules/@team"), { recursive: true });
    await symlink("../../tool", join(folder.path, "node_modules/@team/tool"));
    await symlink(join(repositoryRoot, "node_modules/smol-toml"), join(folder.path, "node_modules/smol-toml"));
    await cp(join(program, lock), join(folder.path, lock.replace("-berry", "")));
    if (lock.startsWith("pnpm")) await write("pnpm-workspace.yaml", 'packages:\n  - "tool"\n');
    await using run = runLydian(["run", `${folder.path}/app/main.ts::get`, '"a = 1"'], platform.env);
    assert.match(await run.finishWith(0), /day: 86400000, toml: \{ a: 1 \}/);
  });
}

test("images by a Dockerfile, and with packages by name", { skip: platform.runtime !== "runc" }, async () => {
  await using run = runLydian(["run", join(repositoryRoot, "tests/soak/apps/steps/app.ts")], platform.env);
  assert.match(await run.finishWith(0), /words 60000 1/);
});

/** How a TypeScript function's container begins, and the Node that it is given. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { temporaryFolder } from "@lydian/testkit";

import { prepareNode } from "../../src/runners/node.ts";
import { PackagedNode } from "../../src/runners/packaged-node.ts";
import type { Layout } from "../../src/runtime/runtime.ts";

const layout: Layout = {
  home: "/c/root",
  environment: { PATH: "/usr/bin", LANG: "C.UTF-8" },
  serverUrl: "unix:/d/1",
  workdir: "/work",
  entrypoint: ["/init"],
  hostPath: (path) => path,
  addFile: async (name) => `/c/${name}`,
  addFolder: async (name, hostFolder) => (assert.equal(hostFolder, "/cache/node"), `/${name}`),
  python: () => assert.fail("nobody asks for a Python"),
};

it("starts the program's own runner with the user's variables, but never with another identity", async () => {
  const spec = await prepareNode({
    runner: create(wire.NodeRunnerSchema, {}),
    containerId: "ta-1",
    imageId: "im-1",
    env: { MODAL_SERVER_URL: "https://other", MODAL_TASK_ID: "ta-2", A: "b", LD_LIBRARY_PATH: "/mine" },
    layout,
    node: { folder: async () => "/cache/node" },
  });
  assert.deepEqual(spec.argv, ["/init", "/__lydian/node/node", "/c/root/.lydian-sdk/runner.js"]);
  assert.equal(spec.cwd, "/work");
  assert.deepEqual(spec.env, {
    PATH: "/usr/bin:/__lydian/node",
    LANG: "C.UTF-8",
    HOME: "/c/root",
    A: "b",
    LD_LIBRARY_PATH: "/mine:/__lydian/node",
    MODAL_SERVER_URL: "unix:/d/1",
    MODAL_TASK_ID: "ta-1",
    MODAL_IMAGE_ID: "im-1",
    MODAL_IS_REMOTE: "1",
    MODAL_CONTAINER_ARGUMENTS_PATH: "/c/arguments",
  });
});

it("starts the Node that the image names for its functions, if it does", async () => {
  const environment = { PATH: "/usr/bin", LYDIAN_NODE: "/usr/local/bin/node" };
  const { argv } = await prepareNode({
    ...{ runner: create(wire.NodeRunnerSchema, {}), containerId: "ta-1", imageId: "im-1", env: {} },
    layout: { ...layout, environment, entrypoint: [] },
    node: { folder: async () => "/cache/node" },
  });
  assert.deepEqual(argv, ["/usr/local/bin/node", "/c/root/.lydian-sdk/runner.js"]);
});

it("makes the folder with Node once, whoever asks", async () => {
  await using cache = await temporaryFolder();
  const options = { cache: cache.path };
  const [first, second] = [new PackagedNode(options), new PackagedNode(options)];
  const folders = await Promise.all([first.folder(), first.folder(), second.folder()]);
  assert.equal(new Set(folders).size, 1);
  const program = join(folders[0] ?? "", "node");
  const { ino } = await stat(program);
  assert.equal(execFileSync(program, ["-p", "process.version"], { encoding: "utf8" }).trim(), process.version);
  await second.folder();
  assert.equal((await stat(program)).ino, ino);
});

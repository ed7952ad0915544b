import assert from "node:assert/strict";
import { it } from "node:test";

import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";

import { preparePython } from "../../src/runners/python.ts";
import type { Layout } from "../../src/runtime/runtime.ts";

const layout: Layout = {
  home: "/c/root",
  environment: { PATH: "/usr/bin", LANG: "C.UTF-8" },
  serverUrl: "unix:/d/1",
  hostPath: (path) => path,
  addFile: async (name) => `/c/${name}`,
  addFolder: async (name) => `/c/${name}`,
  python: async (minor) => `/opt/bin/python${minor}`,
};

it("starts the client's entry point with the user's variables, but never with another identity", async () => {
  const spec = await preparePython({
    runner: create(wire.PythonRunnerSchema, { python: "3.11", clientVersion: "1.6.4" }),
    containerId: "ta-1",
    imageId: "im-1",
    env: { HOME: "/elsewhere", PYTHONPATH: "/mine", MODAL_SERVER_URL: "https://other", MODAL_TASK_ID: "ta-2", A: "b" },
    layout,
    clients: { find: async () => ({ own: "/cache/own", dependencies: "/cache/dependencies" }) },
    say: () => {},
    signal: new AbortController().signal,
  });
  assert.deepEqual(spec.argv, ["/opt/bin/python3.11", "-m", "modal._container_entrypoint"]);
  assert.equal(spec.cwd, "/c/root");
  assert.deepEqual(spec.env, {
    PATH: "/opt/bin:/usr/bin",
    LANG: "C.UTF-8",
    HOME: "/elsewhere",
    A: "b",
    PYTHONUNBUFFERED: "1",
    PYTHONPATH: "/c/pkg:/c/root:/mine",
    MODAL_SERVER_URL: "unix:/d/1",
    MODAL_TASK_ID: "ta-1",
    MODAL_IMAGE_ID: "im-1",
    MODAL_IS_REMOTE: "1",
    MODAL_CONTAINER_ARGUMENTS_PATH: "/c/arguments",
  });
});

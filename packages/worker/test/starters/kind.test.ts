import assert from "node:assert/strict";
import { test } from "node:test";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";

import { keyOf, kindOf } from "../../src/starters/kind.ts";

type Spec = Exclude<MessageInitShape<typeof wire.ContainerSpecSchema>, wire.ContainerSpec>;

const python = { kind: { case: "python", value: { python: "3.11", clientVersion: "1.6.4" } } } as const;
const kind = (spec: Spec): ReturnType<typeof kindOf> => kindOf(create(wire.ContainerSpecSchema, spec));

const fitting: Record<string, Spec> = {
  "that asks for nothing": {},
  "with volumes": { volumes: [{ volumeId: "vo-1", path: "/data" }] },
  "with variables and mounts": { env: { PYTHONOPTIMIZE: "1" }, mounts: [{ manifestSha256: "0" }] },
  "with limits": { resources: { milliCpu: 500n, memoryLimitMib: 128n, diskMib: 10n } },
  "whose network is open": { network: { restricted: false } },
};
for (const [what, spec] of Object.entries(fitting)) {
  test(`a container ${what} can begin as a starter of its image and client`, () => {
    const found = kind({ imageId: "im-1", runner: python, ...spec });
    assert.deepEqual(found, { runner: "python", imageId: "im-1", python: "3.11", clientVersion: "1.6.4" });
    assert.equal(found && keyOf(found), "1.6.4 on im-1");
  });
}

test("a container of Node can begin as a starter that has its runner, which is in its first mount", () => {
  const node = { kind: { case: "node", value: {} } } as const;
  const found = kind({ imageId: "im-1", runner: node, mounts: [{ manifestSha256: "sdk" }, { manifestSha256: "own" }] });
  assert.equal(found?.runner === "node" && found.mount.manifestSha256, "sdk");
  assert.equal(found && keyOf(found), "sdk on im-1");
  assert.equal(kind({ imageId: "im-1", runner: node }), undefined);
});

const others: Record<string, Spec> = {
  "whose network is restricted": { network: { restricted: true } },
  "that has an accelerator": { resources: { gpus: { kind: "H100", count: 1 } } },
  "with less memory than a starter has already": { resources: { memoryLimitMib: 100n } },
  "of a runner that is not known": { runner: {} },
};
for (const [what, spec] of Object.entries(others)) {
  test(`a container ${what} cannot`, () => assert.equal(kind({ runner: python, ...spec }), undefined));
}

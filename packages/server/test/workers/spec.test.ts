/** What a worker is told to run: a function's definition, and what is its container's own. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ContainerArguments,
  ContainerArgumentsSchema,
  FunctionOptionsSchema,
  FunctionSchema$,
} from "@lydian/contract";

import type { Container } from "../../src/domain/container.ts";
import { bindFunction } from "../../src/functions/bind.ts";
import { defineFunction } from "../../src/functions/define.ts";
import { functionPolicy } from "../../src/functions/policy.ts";
import { type ContainerSpec, containerSpec } from "../../src/workers/spec.ts";
import { testStore } from "../support/open-store.ts";
import { plantContainer, plantFunction, settings } from "../support/rows.ts";

/** The specification of a container of such a function, or of a variant of it. */
async function specOf(
  written: MessageInitShape<typeof FunctionSchema$>,
  variant?: { parameters: string; options: MessageInitShape<typeof FunctionOptionsSchema> },
  changes: Partial<Container> = {},
): Promise<{ spec: ContainerSpec; arguments: ContainerArguments }> {
  await using test = await testStore();
  const { spec } = await test.does(async (tx, context) => {
    const { appId, imageId } = await plantFunction(tx, context);
    const definition = create(FunctionSchema$, { functionName: "Model.*", imageId, ...written });
    const request = { appId, definition, policy: functionPolicy(definition), existingId: "", clientVersion: "1.5.4" };
    const base = await defineFunction(tx, request, context);
    const parameters = new TextEncoder().encode(variant?.parameters);
    const options = variant && create(FunctionOptionsSchema, variant.options);
    const of = variant ? await bindFunction(tx, { functionId: base.id, parameters, options }, context) : base;
    return await containerSpec(tx, await plantContainer(tx, of, context, changes), { vault: test.vault, settings });
  });
  const kind = spec.runner?.kind;
  const bytes = kind?.case === "python" ? kind.value.arguments : undefined;
  return { spec, arguments: fromBinary(ContainerArgumentsSchema, bytes ?? new Uint8Array()) };
}

describe("a container's specification", () => {
  it("has the function's definition and client, and no arguments of a class", async () => {
    const { spec, arguments: given } = await specOf({ timeoutSecs: 9 });
    assert.equal(given.functionDef?.timeoutSecs, 9);
    assert.equal(given.serializedParams.length, 0);
    const kind = spec.runner?.kind;
    assert.equal(kind?.case === "python" && kind.value.clientVersion, "1.5.4");
  });

  it("has the runner that the definition asks for", async () => {
    const { spec } = await specOf({ runtime: "node", functionName: "hello" });
    const kind = spec.runner?.kind;
    assert.ok(kind?.case === "node");
    const given = fromBinary(ContainerArgumentsSchema, kind.value.arguments ?? new Uint8Array());
    assert.equal(given.functionDef?.functionName, "hello");
  });

  it("of a variant has its arguments and its options", async () => {
    const variant = { parameters: "size=5", options: { timeoutSecs: 3 } };
    const { arguments: given } = await specOf({ timeoutSecs: 9 }, variant);
    assert.equal(new TextDecoder().decode(given.serializedParams), "size=5");
    assert.equal(given.functionDef?.timeoutSecs, 3);
  });

  it("says what it may take, how far it may go, and what it has of the worker", async () => {
    const resources = { milliCpu: 1_500, memoryMb: 512, milliCpuMax: 2_000, memoryMbMax: 1_024, ephemeralDiskMb: 99 };
    const gpus = { kind: "H100", count: 2 };
    const { spec } = await specOf({ resources }, undefined, { milliCpu: 1_500, memoryMib: 512, gpus });
    const { milliCpu, memoryMib, milliCpuLimit, memoryLimitMib, diskMib, gpus: own } = spec.resources ?? {};
    assert.deepEqual(
      [milliCpu, memoryMib, milliCpuLimit, memoryLimitMib, diskMib],
      [1_500n, 512n, 2_000n, 1_024n, 99n],
    );
    assert.deepEqual(own, gpus);
  });

  it("tells libraries how many threads are theirs, where the function says how many processors it wants", async () => {
    const threads = async (written: MessageInitShape<typeof FunctionSchema$>): Promise<string | undefined> =>
      (await specOf(written, undefined, { milliCpu: 2_500 })).spec.env?.["OMP_NUM_THREADS"];
    assert.equal(await threads({ resources: { milliCpu: 2_500 } }), "3");
    assert.equal(await threads({}), undefined);
    assert.equal(await threads({ resources: { milliCpu: 2_500, skipNumThreadsEnvVars: true } }), undefined);
  });
});

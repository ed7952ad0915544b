/** Functions and classes: reserved, defined, defined again under the same id, and kept exactly as they were written. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { type Function, FunctionSchema$, Function_FunctionType } from "@lydian/contract";

import { defineClass, defineFunction, reserveFunction } from "../../src/functions/define.ts";
import { decodeDefinition } from "../../src/functions/definition.ts";
import { appLayout, functionData, functionHandle } from "../../src/functions/handle.ts";
import { functionPolicy } from "../../src/functions/policy.ts";
import { isFail } from "../../src/errors.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import { plantCall, plantFunction, settings } from "../support/rows.ts";

const definition = (changes: MessageInitShape<typeof FunctionSchema$> = {}): Function =>
  create(FunctionSchema$, { functionName: "hello", functionType: Function_FunctionType.FUNCTION, ...changes });

/** An app with an image, and what defines functions in it. */
async function scene() {
  const test = await testStore();
  const { appId, imageId } = await test.does((tx, context) => plantFunction(tx, context));
  const define = (changes: MessageInitShape<typeof FunctionSchema$> = {}, existingId = "", app: string = appId) =>
    test.does((tx, context) => {
      const written = definition({ imageId, ...changes });
      const request = { appId: app, definition: written, policy: functionPolicy(written), existingId };
      return defineFunction(tx, { ...request, clientVersion: "1.6.4" }, context);
    });
  const reserve = (existingId = "") =>
    test.does((tx, context) =>
      reserveFunction(tx, { appId, name: "hello", existingId, clientVersion: "1.6.4" }, context),
    );
  return { ...test, appId, imageId, define, reserve, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() };
}

const get = (test: TestStore, id: string) => test.store.read((tx) => tx.functions.get(id));

describe("a definition", () => {
  it("takes the id that was reserved for it", async () => {
    await using it = await scene();
    const reserved = await it.reserve();
    const defined = await it.define({}, reserved.id);
    assert.equal(defined.id, reserved.id);
    assert.notEqual(defined.definitionId, reserved.definitionId);
    assert.equal((await it.reserve(reserved.id)).definitionId, defined.definitionId, "reserving changes nothing more");
  });

  it("again keeps the id and what waits, and has a new definition id", async () => {
    await using it = await scene();
    const first = await it.define();
    await it.does((tx, context) => plantCall(tx, first, context));
    await it.clock.advance(5);
    const second = await it.define({ warmPoolSize: 2 }, first.id);
    assert.deepEqual([second.id, second.createdAt], [first.id, first.createdAt]);
    assert.notEqual(second.definitionId, first.definitionId);
    assert.equal((await get(it, first.id))?.policy.minContainers, 2);
    assert.equal((await it.store.read((tx) => tx.functions.demand(first.id)))?.queued, 1);
  });

  it("keeps fields of clients newer than this server", async () => {
    await using it = await scene();
    const unknown = new Uint8Array([0xba, 0x3e, 0x03, 0x61, 0x62, 0x63]); // field 999, "abc"
    const bytes = new Uint8Array([...toBinary(FunctionSchema$, definition({ imageId: it.imageId })), ...unknown]);
    const { fromBinary } = await import("@bufbuild/protobuf");
    const written = fromBinary(FunctionSchema$, bytes);
    const { id } = await it.does((tx, context) => {
      const request = { appId: it.appId, definition: written, policy: functionPolicy(written), existingId: "" };
      return defineFunction(tx, { ...request, clientVersion: "1.6.4" }, context);
    });
    const kept = (await get(it, id))?.definition ?? new Uint8Array();
    assert.equal(Buffer.from(kept).includes(unknown), true);
  });

  it("is refused in a stopped app, for another app's function, without its image or mounts", async () => {
    await using it = await scene();
    const other = await it.does((tx, context) => plantFunction(tx, context));
    const stopped = await it.does((tx, context) => plantFunction(tx, context, { state: "stopped" }));
    const notFound = (error: unknown): boolean => isFail(error, "notFound");
    await assert.rejects(it.define({}, other.id), notFound);
    await assert.rejects(it.define({}, "fu-none"), notFound);
    await assert.rejects(it.define({ imageId: "im-none" }), notFound);
    await assert.rejects(it.define({ mountIds: ["mo-none"] }), notFound);
    await assert.rejects(it.define({}, "", stopped.appId), (error) => isFail(error, "failedPrecondition"));
  });
});

describe("a class", () => {
  it("keeps its id when it is defined again in the same app", async () => {
    await using it = await scene();
    const define = (existingId: string) =>
      it.does((tx, context) => defineClass(tx, { appId: it.appId, existingId }, context));
    const first = await define("");
    assert.equal((await define(first.id)).id, first.id);
    assert.notEqual((await define("cs-none")).id, first.id);
  });
});

describe("what the clients are told of a function", () => {
  const methods = { methodDefinitions: { predict: { functionName: "Model.predict" } } };

  it("names its methods in the way without which containers crash", async () => {
    await using it = await scene();
    const record = await it.define({ functionName: "Model.*", ...methods });
    const handle = functionHandle(record, decodeDefinition(record));
    const method = handle.methodHandleMetadata?.["predict"];
    assert.deepEqual(
      [method?.functionName, method?.useMethodName, method?.isMethod],
      ["Model.predict", "predict", true],
    );
    assert.deepEqual([handle.definitionId, handle.appId, method?.appId], [record.definitionId, it.appId, it.appId]);
  });

  it("comes back in the newer form with the function ranked first", () => {
    const data = functionData(definition({ ...methods, timeoutSecs: 12 }));
    assert.equal(data.rankedFunctions?.length, 1);
    assert.equal(data.rankedFunctions?.[0]?.rank, 0);
    assert.equal(data.rankedFunctions?.[0]?.function?.functionName, "hello");
    assert.equal(data.timeoutSecs, 12);
  });

  it("lists all objects of the app, once each, with the ids of its tags", async () => {
    await using it = await scene();
    const record = await it.define({ objectDependencies: [{ objectId: "im-7" }, { objectId: "im-7" }] });
    const { id: classId } = await it.does((tx, context) =>
      defineClass(tx, { appId: it.appId, existingId: "" }, context),
    );
    const layout = await it.does(async (tx) => {
      const app = await tx.apps.get(it.appId);
      if (app === undefined) throw new Error("no app");
      const layout = { functionIds: { hello: record.id }, classIds: { Model: classId } };
      return await appLayout(tx, { ...app, layout }, settings);
    });
    const kinds = layout.objects.map(({ objectId, handleMetadataOneof }) => [objectId, handleMetadataOneof.case]);
    assert.deepEqual(layout.functionIds, { hello: record.id });
    assert.deepEqual(layout.classIds, { Model: classId });
    assert.equal(new Set(kinds.map(([id]) => id)).size, kinds.length);
    for (const expected of [
      [record.id, "functionHandleMetadata"],
      ["im-7", undefined],
      [classId, "classHandleMetadata"],
    ]) {
      assert.ok(
        kinds.some(([id, kind]) => id === expected[0] && kind === expected[1]),
        String(expected),
      );
    }
  });
});

/** Variants of a function: one for each request, with containers of its own, and always of the newest definition. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { FunctionOptionsSchema, FunctionSchema$ } from "@lydian/contract";

import { stopApp } from "../../src/apps/stop.ts";
import type { FunctionRecord } from "../../src/domain/function.ts";
import { isFail } from "../../src/errors.ts";
import { type BindRequest, bindFunction } from "../../src/functions/bind.ts";
import { defineFunction, reserveFunction } from "../../src/functions/define.ts";
import { decodeDefinition } from "../../src/functions/definition.ts";
import { functionPolicy } from "../../src/functions/policy.ts";
import { changeScaling } from "../../src/functions/scaling.ts";
import { testStore } from "../support/open-store.ts";
import { plantCall, plantContainer, plantFunction } from "../support/rows.ts";

type Definition = MessageInitShape<typeof FunctionSchema$>;
type Options = MessageInitShape<typeof FunctionOptionsSchema>;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const takesArguments = { classParameterInfo: { schema: [{ name: "size" }] } };

/** An app with one function, what defines it anew, and what binds variants of it. */
async function scene(written: Definition = {}) {
  const test = await testStore();
  const { appId, imageId } = await test.does((tx, context) => plantFunction(tx, context));
  const define = (changes: Definition, existingId = "", clientVersion = "1.6.4"): Promise<FunctionRecord> =>
    test.does((tx, context) => {
      const definition = create(FunctionSchema$, { functionName: "Model.*", imageId, ...changes });
      return defineFunction(
        tx,
        { appId, definition, policy: functionPolicy(definition), existingId, clientVersion },
        context,
      );
    });
  const base = await define(written);
  const bind = (changes: Partial<BindRequest> & { with?: Options } = {}): Promise<FunctionRecord> =>
    test.does((tx, context) => {
      const { with: options, ...rest } = changes;
      const asked = { functionId: base.id, parameters: new Uint8Array(), ...rest };
      return bindFunction(
        tx,
        { ...asked, options: options === undefined ? undefined : create(FunctionOptionsSchema, options) },
        context,
      );
    });
  const get = (id: string) => test.store.read((tx) => tx.functions.get(id));
  return { ...test, appId, base, define, bind, get, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() };
}

describe("a variant", () => {
  it("is the same for the same request, whenever it comes", async () => {
    await using it = await scene();
    const first = await it.bind({ parameters: bytes("5"), with: { timeoutSecs: 5 } });
    await it.clock.advance(1_000);
    assert.deepEqual(await it.bind({ parameters: bytes("5"), with: { timeoutSecs: 5 } }), first);
    assert.notEqual(first.id, it.base.id);
    assert.deepEqual(await it.get(first.id), first);
  });

  it("is another for any other request", async () => {
    await using it = await scene();
    const requests = [
      {},
      { with: {} },
      { with: { timeoutSecs: 5 } },
      { with: { timeoutSecs: 6 } },
      { parameters: bytes("5") },
      { parameters: bytes("6") },
      { parameters: bytes("5"), with: { timeoutSecs: 5 } },
      // What ends the one and begins the other is not lost: these two have the same bytes one after the other.
      { parameters: new Uint8Array([0x30, 0x05]) },
      { with: { timeoutSecs: 0x05 }, parameters: new Uint8Array() },
    ];
    const ids = new Set<string>();
    for (const request of requests) ids.add((await it.bind(request)).id);
    // Absent options and empty ones ask for the same; and one of the above comes twice.
    assert.equal(ids.size, requests.length - 2);
  });

  it("of another function is another, though the request is the same", async () => {
    await using it = await scene();
    const other = await it.define({ functionName: "Other.*" });
    const ids = [
      await it.bind({ parameters: bytes("5") }),
      await it.bind({ functionId: other.id, parameters: bytes("5") }),
    ];
    assert.notEqual(ids[0]?.id, ids[1]?.id);
  });

  it("is a function of its own: its calls, containers and counts are no other's", async () => {
    await using it = await scene();
    const variant = await it.bind({ parameters: bytes("5"), with: { concurrencyLimit: 3 } });
    const [own, base] = await it.does(async (tx, context) => {
      await plantCall(tx, variant, context);
      await plantContainer(tx, variant, context);
      return [await tx.functions.demand(variant.id), await tx.functions.demand(it.base.id)];
    });
    assert.deepEqual([own?.queued, base?.queued], [1, 0]);
    assert.equal(own?.policy.maxContainers, 3);
    assert.deepEqual([variant.appId, variant.name], [it.base.appId, it.base.name]);
  });

  it("remembers what its containers are given: the arguments of the class", async () => {
    await using it = await scene();
    const { binding } = await it.bind({ parameters: bytes("size=5") });
    assert.deepEqual(binding?.parameters, bytes("size=5"));
    assert.equal(binding?.baseId, it.base.id);
  });
});

describe("a variant of a variant", () => {
  it("has the options of both, the later ones winning", async () => {
    await using it = await scene();
    const first = await it.bind({ with: { timeoutSecs: 5, concurrencyLimit: 3 } });
    const second = await it.bind({ functionId: first.id, parameters: bytes("5"), with: { timeoutSecs: 9 } });
    assert.deepEqual([second.policy.timeoutMs, second.policy.maxContainers], [9_000, 3]);
  });
});

describe("a variant is refused", () => {
  it("of what does not exist, or has a name but no definition yet", async () => {
    await using it = await scene();
    const reserved = await it.does((tx, context) =>
      reserveFunction(tx, { appId: it.appId, name: "later", existingId: "", clientVersion: "1.6.4" }, context),
    );
    for (const functionId of ["fu-none", reserved.id]) {
      await assert.rejects(it.bind({ functionId }), (error) => isFail(error, "notFound"));
    }
  });

  it("in an app that has stopped", async () => {
    await using it = await scene();
    await it.does(async (tx, context) => {
      const app = await tx.apps.get(it.appId);
      if (app !== undefined) await stopApp(tx, app, { reason: "x", graceMs: 0 }, context);
    });
    await assert.rejects(it.bind(), (error) => isFail(error, "failedPrecondition"));
  });

  it("for arguments beyond 16 KiB, and not for less", async () => {
    await using it = await scene();
    await it.bind({ parameters: new Uint8Array(16 * 1024) });
    await assert.rejects(it.bind({ parameters: new Uint8Array(16 * 1024 + 1) }), /16385 bytes, and 16 KiB is the most/);
  });
});

describe("defining a function anew", () => {
  it("defines its variants anew, and theirs, each with its own options", async () => {
    await using it = await scene({ timeoutSecs: 10 });
    const plain = await it.bind({ parameters: bytes("5") });
    const limited = await it.bind({ with: { concurrencyLimit: 3 } });
    const deeper = await it.bind({ functionId: limited.id, with: { timeoutSecs: 4 } });
    await it.clock.advance(1_000);
    const defined = await it.define({ timeoutSecs: 20, maxConcurrentInputs: 6 }, it.base.id, "1.5.4");
    for (const [before, timeoutMs, maxContainers] of [
      [plain, 20_000, 1_000],
      [limited, 20_000, 3],
      [deeper, 4_000, 3],
    ] as const) {
      const now = await it.get(before.id);
      assert.deepEqual([now?.policy.timeoutMs, now?.policy.maxContainers], [timeoutMs, maxContainers]);
      assert.equal(now?.policy.maxConcurrency, 6);
      assert.equal(now?.definitionId, defined.definitionId, "its containers are of an older one");
      assert.deepEqual([now?.createdAt, now?.binding], [before.createdAt, before.binding]);
      assert.equal(now?.clientVersion, "1.5.4");
      assert.equal(decodeDefinition(now ?? before).timeoutSecs * 1_000, timeoutMs);
    }
  });

  it("keeps what waits for its variants, and undoes changes of their scaling", async () => {
    await using it = await scene();
    const variant = await it.bind({ with: { concurrencyLimit: 3 } });
    await it.does((tx, context) => plantCall(tx, variant, context));
    await it.does((tx) => changeScaling(tx, variant.id, { maxContainers: 1 }));
    await it.define({}, it.base.id);
    const demand = await it.store.read((tx) => tx.functions.demand(variant.id));
    assert.deepEqual([demand?.queued, demand?.policy.maxContainers], [1, 3]);
  });

  it("leaves variants of other functions alone", async () => {
    await using it = await scene();
    const other = await it.define({ functionName: "Other.*" });
    const theirs = await it.bind({ functionId: other.id });
    await it.define({}, it.base.id);
    assert.deepEqual(await it.get(theirs.id), theirs);
  });
});

describe("containers that are always kept", () => {
  const kept = async (it: Awaited<ReturnType<typeof scene>>): Promise<string[]> => {
    const demands = await it.store.read((tx) => tx.functions.demands());
    return demands.map(({ functionId, policy }) => `${functionId} ${policy.minContainers}`);
  };

  it("are those of a class's variants, where it takes arguments", async () => {
    await using it = await scene({ ...takesArguments, warmPoolSize: 2 });
    assert.deepEqual(await kept(it), []);
    const [first, second] = [await it.bind({ parameters: bytes("5") }), await it.bind({ parameters: bytes("6") })];
    assert.deepEqual((await kept(it)).toSorted(), [`${first.id} 2`, `${second.id} 2`].toSorted());
  });

  it("are not inherited by a variant with options, but can be asked for", async () => {
    await using it = await scene({ warmPoolSize: 2 });
    await it.bind({ with: { timeoutSecs: 5 } });
    const asked = await it.bind({ with: { timeoutSecs: 5, warmPoolSize: 1 } });
    assert.deepEqual((await kept(it)).toSorted(), [`${it.base.id} 2`, `${asked.id} 1`].toSorted());
  });

  it("follow the newest definition", async () => {
    await using it = await scene({ ...takesArguments, warmPoolSize: 2 });
    const variant = await it.bind({ parameters: bytes("5") });
    await it.define({ ...takesArguments, warmPoolSize: 1 }, it.base.id);
    assert.deepEqual(await kept(it), [`${variant.id} 1`]);
    await it.define(takesArguments, it.base.id);
    assert.deepEqual(await kept(it), []);
  });
});

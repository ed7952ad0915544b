/** Commits and reloads that containers ask for: their worker does them, and only for volumes and containers that are there. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ObjectCreationType, worker as wire } from "@lydian/contract";
import { turns } from "@lydian/testkit";

import { type ErrorCode, isFail } from "../../src/errors.ts";
import { World, rpc } from "../support/world.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

/** A world with a container whose function mounts a volume, and what the worker was asked to do with that. */
async function begin(answer: (asked: wire.VolumeDo) => string = () => "") {
  const asked: wire.VolumeDo[] = [];
  const onVolume = (each: wire.VolumeDo): string => {
    asked.push(each);
    return answer(each);
  };
  const world = await World.begin({ onVolume });
  const { volumeId } = await world.asUser(rpc.volumeGetOrCreate, {
    deploymentName: "data",
    objectCreationType: ObjectCreationType.CREATE_IF_MISSING,
  });
  await world.define({ volumeMounts: [{ volumeId, mountPath: "/data/", subPath: "/a/", readOnly: true }] });
  await world.publish();
  await world.join();
  await world.submit("x");
  await turns();
  const [container] = [...world.worker.containers.values()];
  assert.ok(container);
  return { world, volumeId, container, asked, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

describe("a container that mounts a volume", () => {
  it("is told where, in plain paths", async () => {
    await using it = await begin();
    const [mount] = it.container.spec?.volumes ?? [];
    assert.deepEqual(
      [mount?.volumeId, mount?.path, mount?.subPath, mount?.readOnly],
      [it.volumeId, "/data", "a", true],
    );
  });

  it("has it committed and reloaded by its worker", async () => {
    await using it = await begin();
    const { id, fence } = it.container;
    const { skipReload } = await it.world.asContainer(id, rpc.volumeCommit, { volumeId: it.volumeId });
    assert.equal(skipReload, true);
    await it.world.asContainer(id, rpc.volumeReload, { volumeId: it.volumeId });
    const { COMMIT, RELOAD } = wire.VolumeDo_Act;
    assert.deepEqual(
      it.asked.map(({ containerId, fence, volumeId, act }) => [containerId, fence, volumeId, act]),
      [COMMIT, RELOAD].map((act) => [id, fence, it.volumeId, act]),
    );
  });

  it("hears once which volume has no room for a commit", async () => {
    await using it = await begin(() => `Volume "data" would hold 2 bytes; 1 are the most.`);
    const commit = it.world.asContainer(it.container.id, rpc.volumeCommit, { volumeId: it.volumeId });
    await assert.rejects(commit, fails("failedPrecondition", /^Volume "data" would hold/));
  });

  it("hears why that cannot be, and of a worker that goes away", async () => {
    await using it = await begin((asked) =>
      asked.act === wire.VolumeDo_Act.RELOAD ? "there are open files preventing the operation: x" : "",
    );
    const { id } = it.container;
    const reload = () => it.world.asContainer(id, rpc.volumeReload, { volumeId: it.volumeId });
    await assert.rejects(reload(), fails("failedPrecondition", /^Volume "data": there are open files preventing/));
    it.world.worker.drop();
    await turns();
    const late = assert.rejects(reload(), fails("unavailable", /worker went away/));
    await it.world.clock.advance(9_000);
    const patient = assert.rejects(reload(), fails("failedPrecondition", /open files/));
    await it.world.clock.advance(1_000);
    await late;
    await it.world.join();
    await patient;
    await it.world.asUser(rpc.volumeDelete, { volumeId: it.volumeId });
    await assert.rejects(reload(), fails("notFound", /Volume "data" was deleted/));
  });
});

describe("a function", () => {
  it("cannot mount a volume that is not there, one inside of another, or at no path", async () => {
    await using it = await begin();
    const { volumeId } = it;
    const define = (...volumeMounts: { volumeId: string; mountPath: string }[]) => it.world.define({ volumeMounts });
    await assert.rejects(define({ volumeId: "vo-none", mountPath: "/x" }), fails("notFound", /vo-none does not exist/));
    await assert.rejects(define({ volumeId, mountPath: "x" }), fails("invalidArgument", /"x" is no path/));
    await assert.rejects(define({ volumeId, mountPath: "/" }), fails("invalidArgument", /"\/" is no path/));
    const nested = [
      { volumeId, mountPath: "/a" },
      { volumeId, mountPath: "/a/b" },
    ];
    await assert.rejects(define(...nested), fails("invalidArgument", /at \/a\/b, inside of one at \/a/));
  });
});

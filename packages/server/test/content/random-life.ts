/** Content that is uploaded, referred to and forgotten at random, in a server that dies again and again. */
import assert from "node:assert/strict";

import type { Random } from "@lydian/testkit";

import { forgetCall } from "../../src/calls/sweep.ts";
import type { ContentScene } from "./content-scene.ts";
import { Killed, times } from "./mortal-content.ts";

const hour = 3_600_000;

/** What can happen, at random. */
function actsOf(own: ContentScene, random: Random): (() => Promise<void>)[] {
  const uploads: { sha256: string; at: number }[] = [];
  const volumes: string[] = [];
  const paths = ["a", "b", "c/d"];
  /** One that was uploaded, or asked for, less than its time ago: it can be referred to. */
  const taken = (): string | undefined => {
    const young = uploads.filter(({ at }) => own.clock.now() - at < times.contentKept);
    return random.pick(young)?.sha256;
  };
  const known = (prefix: string): string =>
    random.pick([...own.needs.keys()].filter((id) => id.startsWith(prefix))) ?? "";
  const withTaken = (act: (sha256: string) => Promise<unknown>) => async (): Promise<void> => {
    const sha256 = taken();
    if (sha256 !== undefined) await act(sha256);
  };
  const withVolume = (act: (id: string, path: string) => Promise<void>) => async (): Promise<void> => {
    if (volumes.length < 2) volumes.push(await own.volume());
    await act(random.pick(volumes) ?? "", random.pick(paths) ?? "");
  };
  return [
    async () => void uploads.push({ at: own.clock.now(), sha256: await own.upload(random) }),
    async () => {
      const asked = random.pick(uploads)?.sha256 ?? "0".repeat(64);
      const isThere = (await own.server.content.missing([asked])).length === 0;
      if (isThere) uploads.push({ at: own.clock.now(), sha256: asked });
    },
    withVolume((id, path) => withTaken((sha256) => own.commit(id, path, sha256))()),
    withVolume((id, path) => own.commit(id, path)),
    withVolume(async (id) => {
      if (!random.once(6)) return;
      volumes.splice(volumes.indexOf(id), 1);
      await own.deleteVolume(id);
    }),
    withTaken(async (argument) => {
      const [item, result] = [taken() ?? argument, taken() ?? argument];
      const blobs = { argument: await own.blob(argument), item: await own.blob(item), result: await own.blob(result) };
      await own.call(blobs);
    }),
    async () => void (await own.does((tx) => forgetCall(tx, known("fc-")))),
    withTaken((sha256) => own.mount(sha256)),
    async () => own.stopApp(known("ap-")),
    withTaken((sha256) => own.image(sha256)),
    async () => own.does((tx) => tx.images.remove(known("im-"))),
    async () => own.clock.advance(random.below(12) * hour),
  ];
}

/** Nothing that is needed is missing after any step, and in the end all else is gone. */
export async function randomLife(own: ContentScene, random: Random, steps: number): Promise<void> {
  const acts = actsOf(own, random);
  let deaths = 0;
  const survived = async (act: () => Promise<unknown>): Promise<void> => {
    await act().catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
  };
  for (let i = 0; i < steps; i++) {
    if (random.once(4)) own.server.live(random.below(12));
    const looks = random.once(3);
    const looking = looks ? survived(() => own.server.collector.collect({ isDry: false })) : Promise.resolve();
    for (let n = 1 + random.below(3); n > 0 && !own.server.isDead; n--) {
      await survived(random.pick(acts) ?? (async () => {}));
    }
    await looking;
    if (own.server.isDead) {
      deaths++;
      await own.revive();
    }
    own.server.live(Number.POSITIVE_INFINITY);
    await own.assertNothingIsMissing(`step ${i}`);
  }
  assert.ok(deaths > 0);
  await own.settle();
  assert.deepEqual([...(await own.there())].toSorted(), [...(await own.needed())].toSorted());
}

/** What the operator asks about states of volumes. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";

import type { Tx } from "../domain/store.ts";
import type { Entry, Volume } from "../domain/volume.ts";
import { differences, namedVolume, wayBack } from "../volumes/history.ts";
import { knownVolume } from "../volumes/known.ts";
import { settled } from "../volumes/owed.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import { once, type Platform, wasAnswered } from "./platform.ts";

/** Lines of an answer, when it is not said how many. */
const usualCommits = 100;
const usualChanges = 1000;
const mostLines = 10_000;

export function volumeHistoryRpcs(platform: Platform): Rpcs<typeof operator.Operators> {
  const { store, config } = platform;
  const findSettled = async (name: operator.VolumeName | undefined): Promise<Volume> => {
    const { id } = await store.read((tx) => find(tx, name));
    await settled(platform, id);
    return await store.read((tx) => knownVolume(tx, id));
  };
  return {
    listVolumeCommits: user(async ({ volume: name, before, limit }) => {
      const { id, head, oldest } = await findSettled(name);
      return await store.read(async (tx) => {
        const first = before === 0n ? Number.MAX_SAFE_INTEGER : Number(before);
        const found = await tx.volumes.commitsBefore(id, first, linesOf(limit, usualCommits));
        const commits = found.map(({ number, madeAt, madeBy, written, removed }) => {
          return { number: BigInt(number), madeAtMs: BigInt(madeAt), madeBy, written, removed };
        });
        return { volumeId: id, head: BigInt(head), oldest: BigInt(oldest), commits };
      });
    }),
    diffVolume: user(async ({ volume: name, from, to, limit }) => {
      const volume = await findSettled(name);
      const range = { from: Number(from), to: to === undefined ? volume.head : Number(to) };
      const { changes, more } = await differences(store, volume, range, linesOf(limit, usualChanges));
      const lines = changes.map(({ path, before, after, sameContent }) => ({
        ...{ path, sameContent },
        ...(before && { before: stateOf(before) }),
        ...(after && { after: stateOf(after) }),
      }));
      return { to: BigInt(range.to), changes: lines, more };
    }),
    restoreVolume: user(async ({ volume: name, commit: to }, call) => {
      const { id: volumeId } = await store.read((tx) => find(tx, name));
      return await platform.volumeChanges.make({
        ...{ volumeId, signal: call.signal, isKnown: (tx) => wasAnswered(tx, call) },
        find: async (volume, inUnit) => ({
          ...{ key: undefined, madeBy: `${config.workspace}, restoring ${to}` },
          ...(await wayBack(inUnit, volume, Number(to))),
        }),
        finish: (unit) =>
          once(platform, call, operator.RestoreVolumeResponseSchema, async (tx) => {
            const number = await unit(tx);
            const [made] = number === undefined ? [] : await tx.volumes.commitsBefore(volumeId, number + 1, 1);
            return { commit: BigInt(number ?? 0), written: made?.written ?? 0, removed: made?.removed ?? 0 };
          }),
      });
    }),
  };
}

const linesOf = (asked: number, usual: number): number => Math.min(asked || usual, mostLines);

async function find(tx: Tx, name: operator.VolumeName | undefined): Promise<Volume> {
  return await namedVolume(tx, name?.volume ?? "", name?.environment ?? "");
}

function stateOf({ kind, size, mode, mtime }: Entry): MessageInitShape<typeof operator.VolumePathStateSchema> {
  return { kind, size: BigInt(size), mode, mtimeUs: BigInt(mtime) };
}

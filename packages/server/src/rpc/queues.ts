/** Queues: find or make, put, take, look, count, clear, delete, list. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { type ModalClient, QueueGetOrCreateResponseSchema, QueueGetResponseSchema } from "@lydian/contract";
import type { QueueGetRequest, QueueNextItemsRequest, QueuePutRequest } from "@lydian/contract";
import { Leases } from "@lydian/kit";

import { lookersBell, objectBell, replyBell, roomBell, takersBell } from "../domain/bells.ts";
import type { NamedObject } from "../domain/named-object.ts";
import type { EntryId } from "../domain/queue.ts";
import { fail, isFail } from "../errors.ts";
import { clearObject, deleteObject, getObject, getOrCreateObject, knownObject } from "../objects/manage.ts";
import { clearPartition, countItems, itemsAfter, type Place, putItems, takeItems } from "../queues/items.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { metadataOf, type ObjectMetadata, objectRequest, pageOf } from "./objects.ts";
import { type Platform, once, onceThere, replyKey, toSeconds } from "./platform.ts";

type Nothing = MessageInitShape<typeof EmptySchema>;

/** A refused put that comes again comes within this time: clients wait for 30 s at most between two tries. */
const refusedMs = 60_000;

/** What an answer may take to arrive before its client gives up. */
const answerMs = 500;

export function queueRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  return { ...objectRpcs(platform), ...itemRpcs(platform) };
}

function objectRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, clock, heartbeats } = platform;
  return {
    queueGetOrCreate: userOrContainer(async (request, call) => {
      const wanted = objectRequest(platform, "queue", request);
      if (wanted.creation === "lookUp") return answer(await store.read((tx) => getObject(tx, wanted)));
      const made = await once(platform, call, QueueGetOrCreateResponseSchema, async (tx, context) =>
        answer((await getOrCreateObject(tx, wanted, context)).object),
      );
      if (wanted.creation === "ephemeral") heartbeats.heard(made.queueId ?? "");
      return made;
    }),
    queueGetById: userOrContainer(async ({ queueId }) =>
      answer(await store.read((tx) => knownObject(tx, "queue", queueId))),
    ),
    queueHeartbeat: userOrContainer(async ({ queueId }) => {
      const { name } = await store.read((tx) => knownObject(tx, "queue", queueId));
      if (name === "") heartbeats.heard(queueId);
      return {};
    }),
    queueDelete: userOrContainer(({ queueId }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        await deleteObject(tx, "queue", queueId);
        return {};
      }),
    ),
    queueList: userOrContainer(({ environmentName, pagination, totalSizeLimit }) =>
      store.read(async (tx) => {
        const { environment, objects } = await pageOf(tx, "queue", { environmentName, pagination });
        const queues = await Promise.all(
          objects.map(async (object) => {
            const { partitions, items } = await tx.queues.sizes(object.contents, clock.now());
            const totalSize = totalSizeLimit > 0 ? Math.min(items, totalSizeLimit) : items;
            const { name, createdAt } = object;
            return { name, createdAt: toSeconds(createdAt), numPartitions: partitions, totalSize, ...answer(object) };
          }),
        );
        return { queues, environmentName: environment.name };
      }),
    ),
  };
}

function itemRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, clock } = platform;
  const refused = new Leases(clock, () => {});
  return {
    queuePut: userOrContainer((request, call) => put(platform, refused, request, call)),
    queueGet: userOrContainer((request, call) => take(platform, request, call)),
    queueNextItems: userOrContainer((request, call) => look(platform, request, call)),
    queueLen: userOrContainer(({ total, ...request }) =>
      store.read(async (tx) => {
        const now = clock.now();
        if (!total) return { len: await countItems(tx, placeOf(request), now) };
        const { contents } = await knownObject(tx, "queue", request.queueId);
        return { len: (await tx.queues.sizes(contents, now)).items };
      }),
    ),
    queueClear: userOrContainer(({ allPartitions, ...request }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        if (allPartitions) await clearObject(tx, "queue", request.queueId);
        else await clearPartition(tx, placeOf(request));
        return {};
      }),
    ),
  };
}

/**
 * A put that finds its partition full is refused at once, for it may be one that does not wait. One that is sent again with
 * the key of its refusal does: clients try ever more seldom, and this one is held until there is room.
 */
async function put(platform: Platform, refused: Leases, request: QueuePutRequest, call: Call): Promise<Nothing> {
  const { bells, clock, config } = platform;
  const place = placeOf(request);
  const options = { keptMs: keptMs(platform, request.partitionTtlSeconds), limits: config.limits };
  const key = replyKey(call);
  let refusal: unknown;
  const look = async (): Promise<Nothing | undefined> => {
    try {
      return await once(platform, call, EmptySchema, async (tx, { now }) => {
        call.signal.throwIfAborted();
        await putItems(tx, place, request.values, options, now);
        return {};
      });
    } catch (error) {
      if (!isFail(error, "resourceExhausted")) throw error;
      refusal = error;
      return undefined;
    }
  };
  const isAwaited = key !== undefined && refused.has(key);
  const leftMs = Math.max(0, call.deadlineMs - clock.now() - answerMs);
  const bellsOfIt = [roomBell(place.queueId, place.partition), objectBell(place.queueId)];
  const waitMs = isAwaited ? Math.min(config.times.claimHold, leftMs) : 0;
  const done = await bells.until(bellsOfIt, look, { clock, waitMs, signal: call.signal });
  if (done !== undefined) return done;
  if (key !== undefined) refused.renew(key, refusedMs);
  throw refusal;
}

/** Answers as soon as there is something, or with nothing when the time is up. A look that finds nothing writes nothing. */
async function take(
  platform: Platform,
  request: QueueGetRequest,
  call: Call,
): Promise<MessageInitShape<typeof QueueGetResponseSchema>> {
  const { bells, clock } = platform;
  const { nValues } = request;
  if (nValues < 1) throw fail("invalidArgument", `${nValues} values cannot be taken from a queue: 1 is the least.`);
  const place = placeOf(request);
  const key = replyKey(call);
  const bellsOfIt = [takersBell(place.queueId, place.partition), objectBell(place.queueId)];
  const taken = await bells.until(
    key === undefined ? bellsOfIt : [...bellsOfIt, replyBell(key)],
    () =>
      onceThere(platform, call, QueueGetResponseSchema, async (tx, { now }) => {
        call.signal.throwIfAborted(); // what nobody waits for stays in the queue
        const values = await takeItems(tx, place, nValues, now);
        return values.length === 0 ? undefined : { values };
      }),
    { clock, waitMs: waitMs(platform, request.timeout), signal: call.signal },
  );
  // A client that has lost its connection asks again, while this may have waited for the one that is gone.
  if (taken !== undefined && key !== undefined) bells.ring(replyBell(key));
  return taken ?? {};
}

async function look(platform: Platform, request: QueueNextItemsRequest, call: Call) {
  const { store, bells, clock } = platform;
  const place = placeOf(request);
  const last = readEntryId(request.lastEntryId);
  const found = await bells.until(
    [lookersBell(place.queueId, place.partition), objectBell(place.queueId)],
    async () => {
      const items = await store.read((tx) => itemsAfter(tx, place, last, clock.now()));
      return items.length > 0 ? items : undefined;
    },
    { clock, waitMs: waitMs(platform, request.itemPollTimeout), signal: call.signal },
  );
  return { items: (found ?? []).map(({ value, ...entry }) => ({ value, entryId: entryIdOf(entry) })) };
}

function placeOf({ queueId, partitionKey: partition }: { queueId: string; partitionKey: Uint8Array }): Place {
  return { queueId, partition };
}

function entryIdOf({ partition, position }: EntryId): string {
  return `${partition}-${position}`;
}

function readEntryId(text: string): EntryId | undefined {
  if (text === "") return undefined;
  const [, partition, position] = /^(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  if (partition !== undefined) return { partition: Number(partition), position: Number(position) };
  throw fail("invalidArgument", `${JSON.stringify(text)} is no entry of a queue.`);
}

/** Of a client's seconds; no longer than any request is held. */
function waitMs({ config }: Platform, seconds: number): number {
  return Math.min(Math.max(0, seconds * 1000), config.times.claimHold);
}

function keptMs({ config }: Platform, seconds: number): number {
  const { queuePartitionKept, queuePartitionLongest } = config.times;
  if (seconds === 0) return queuePartitionKept;
  const ms = seconds * 1000;
  if (ms > 0 && ms <= queuePartitionLongest) return ms;
  throw fail("invalidArgument", `A partition cannot be kept for ${seconds} s.`, {
    hint: `\`partition_ttl\` is from 1 to ${Math.floor(queuePartitionLongest / 1000)} s`,
  });
}

function answer(object: NamedObject): { queueId: string; metadata: ObjectMetadata } {
  return { queueId: object.id, metadata: metadataOf(object) };
}

/** Puts items into partitions of a queue, takes them out in their order, and looks at them. */
import { empty } from "../objects/empty.ts";
import { lookersBell, roomBell, takersBell } from "../domain/bells.ts";
import type { NamedObject } from "../domain/named-object.ts";
import {
  type EntryId,
  living,
  type Partition,
  positionOf,
  type QueueItem,
  type QueueLimits,
  type Refusal,
  refusal,
  sizeOf,
} from "../domain/queue.ts";
import type { Tx } from "../domain/store.ts";
import { fail, type ServerError, tooLarge } from "../errors.ts";
import { knownObject } from "../objects/manage.ts";

/** Where in a queue. */
export interface Place {
  queueId: string;
  /** Empty for the partition without a name. */
  partition: Uint8Array;
}

const mostKeyBytes = 64;

/** Items are looked at in portions of this, in number and in bytes. */
const lookPortion = { limit: 1000, bytes: 4 * 1024 * 1024 };

export async function putItems(
  tx: Tx,
  place: Place,
  values: readonly Uint8Array[],
  options: { keptMs: number; limits: QueueLimits },
  now: number,
): Promise<void> {
  const { limits, keptMs } = options;
  const { queue, partition: found } = await lookUp(tx, place);
  const partition = living(found, now);
  const refused = refusal(values, partition ?? { items: 0, bytes: 0 }, limits);
  if (refused !== undefined) throw refuse(refused, place, limits);
  if (values.length === 0) return;
  if (found !== undefined && partition === undefined) await dropPartition(tx, found);
  const { number, next, items, bytes } = partition ?? (await newPartition(tx, queue, place, limits, now));
  await tx.queues.push(
    number,
    values.map((value, index) => ({ position: next + index, value })),
  );
  await tx.queues.updatePartition({
    number,
    next: next + values.length,
    items: items + values.length,
    bytes: bytes + sizeOf(values),
    keptUntil: now + keptMs,
  });
  tx.ring(takersBell(place.queueId, place.partition), values.length);
  tx.ring(lookersBell(place.queueId, place.partition));
}

/** The oldest ones, which nobody will get any more. */
export async function takeItems(tx: Tx, place: Place, atMost: number, now: number): Promise<Uint8Array[]> {
  const partition = living((await lookUp(tx, place)).partition, now);
  if (partition === undefined || partition.items === 0) return [];
  const taken = await tx.queues.take(partition.number, atMost);
  const values = taken.map(({ value }) => value);
  const left = { items: partition.items - taken.length, bytes: partition.bytes - sizeOf(values) };
  await tx.queues.updatePartition({ ...partition, ...left });
  tx.ring(roomBell(place.queueId, place.partition));
  return values;
}

/** Some of those after this one, which stay where they are. */
export async function itemsAfter(
  tx: Tx,
  place: Place,
  last: EntryId | undefined,
  now: number,
): Promise<(EntryId & QueueItem)[]> {
  const partition = living((await lookUp(tx, place)).partition, now);
  if (partition === undefined) return [];
  const items = await tx.queues.after(partition.number, positionOf(last, partition), lookPortion);
  return items.map((item) => ({ partition: partition.number, ...item }));
}

export async function countItems(tx: Tx, place: Place, now: number): Promise<number> {
  return living((await lookUp(tx, place)).partition, now)?.items ?? 0;
}

/** What is in the partition goes, however much it is. */
export async function clearPartition(tx: Tx, place: Place): Promise<void> {
  const { partition } = await lookUp(tx, place);
  if (partition !== undefined) await dropPartition(tx, partition);
  tx.ring(roomBell(place.queueId, place.partition));
}

/** Removes partitions whose time is over, as many as make a portion of rows; answers a portion when there may be more. */
export async function forgetPartitions(tx: Tx, portion: number, now: number): Promise<number> {
  let rows = 0;
  for (const number of await tx.queues.over(now, portion)) {
    rows += 1 + (await dropPartition(tx, { number }));
    if (rows >= portion) return portion;
  }
  return 0;
}

async function lookUp(
  tx: Tx,
  { queueId, partition: key }: Place,
): Promise<{ queue: NamedObject; partition: Partition | undefined }> {
  if (key.byteLength > mostKeyBytes) {
    throw fail("invalidArgument", `The partition's name has ${key.byteLength} bytes, and ${mostKeyBytes} is the most.`);
  }
  const queue = await knownObject(tx, "queue", queueId);
  return { queue, partition: await tx.queues.partition(queue.contents, key) };
}

async function newPartition(
  tx: Tx,
  queue: NamedObject,
  { partition: key }: Place,
  { queuePartitions }: QueueLimits,
  now: number,
): Promise<Partition> {
  const partitions = await tx.queues.countPartitions(queue.contents, queuePartitions);
  if (partitions >= queuePartitions) {
    throw fail("resourceExhausted", `${titleOf(queue)} has ${partitions} partitions, which is the most.`, {
      hint: "One goes when the time that its last put gave it is over",
    });
  }
  const empty = { next: 1, items: 0, bytes: 0, keptUntil: now };
  return await tx.queues.insertPartition(queue.contents, key, empty);
}

/** Answers how many of its items went at once. */
async function dropPartition(tx: Tx, { number }: Pick<Partition, "number">): Promise<number> {
  await tx.queues.removePartition(number);
  return await empty(tx, "emptyPartition", number);
}

function titleOf({ id, name }: Pick<NamedObject, "id" | "name">): string {
  return name === "" ? `Queue ${id}` : `Queue "${name}"`;
}

function refuse(refused: Refusal, { queueId }: Place, limits: QueueLimits): ServerError {
  switch (refused) {
    case "item":
      return tooLarge(`An item is larger than ${limits.queueItemBytes} bytes, which is the most`);
    case "put": {
      const most = Math.min(limits.queuePutBytes, limits.queuePartitionBytes);
      return tooLarge(`The items have more than ${most} bytes together, which is the most for one put`);
    }
    case "putItems":
      return tooLarge(`The put has more items than a partition can hold: ${limits.queuePartitionItems} is the most`);
    case "full":
      return fail(
        "resourceExhausted",
        `The partition of Queue ${queueId} is full: ${limits.queuePartitionItems} items and ` +
          `${limits.queuePartitionBytes} bytes are the most.`,
        { hint: "Wait until some are taken out, or use another partition" },
      );
  }
}

/** Partitions of queues: what they hold, for how long, and whether more fits in. */

export interface Partition {
  /** What its items are found under; another one when it was emptied or over, and never used again. */
  number: number;
  /** The position of the next item; the first one's is 1. */
  next: number;
  items: number;
  bytes: number;
  /** It is empty from this moment on. */
  keptUntil: number;
}

export interface QueueItem {
  /** Grows with each item of a partition. */
  position: number;
  value: Uint8Array;
}

export interface QueueSizes {
  partitions: number;
  items: number;
}

export interface QueueLimits {
  queueItemBytes: number;
  queuePutBytes: number;
  queuePartitionItems: number;
  queuePartitionBytes: number;
  queuePartitions: number;
}

/** What is left of a partition at this moment. */
export function living<P extends Pick<Partition, "keptUntil">>(partition: P | undefined, now: number): P | undefined {
  return partition !== undefined && partition.keptUntil > now ? partition : undefined;
}

/** How an item is named for those who go on from it. */
export interface EntryId {
  partition: number;
  position: number;
}

/** The position from which on to look: all of a partition's items are after one of another partition. */
export function positionOf(entry: EntryId | undefined, partition: Pick<Partition, "number">): number {
  return entry?.partition === partition.number ? entry.position : 0;
}

export interface Load {
  items: number;
  bytes: number;
}

/** What is too large for ever, by its limit; `full`: it fits when others have been taken out; undefined: it fits. */
export type Refusal = "item" | "put" | "putItems" | "full";

/** Whether these values go into a partition that holds so much. */
export function refusal(values: readonly Uint8Array[], held: Load, limits: QueueLimits): Refusal | undefined {
  const bytes = sizeOf(values);
  if (values.some(({ byteLength }) => byteLength > limits.queueItemBytes)) return "item";
  if (bytes > Math.min(limits.queuePutBytes, limits.queuePartitionBytes)) return "put";
  if (values.length > limits.queuePartitionItems) return "putItems";
  const fits =
    held.items + values.length <= limits.queuePartitionItems && held.bytes + bytes <= limits.queuePartitionBytes;
  return fits ? undefined : "full";
}

export function sizeOf(values: readonly Uint8Array[]): number {
  return values.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Contents of queues, by the queues' and partitions' numbers. */
export interface Queues {
  /** Also one whose time is over. */
  partition(queue: number, key: Uint8Array): Promise<Partition | undefined>;
  /** Answers it with its number. */
  insertPartition(queue: number, key: Uint8Array, partition: Omit<Partition, "number">): Promise<Partition>;
  updatePartition(partition: Partition): Promise<void>;
  /** Not its items. */
  removePartition(partition: number): Promise<void>;
  /** How many there are, counted up to the limit, with those whose time is over and that are not removed yet. */
  countPartitions(queue: number, limit: number): Promise<number>;
  /** Of all partitions whose time is not over and that hold something. */
  sizes(queue: number, now: number): Promise<QueueSizes>;
  /** Partitions of all queues whose time is over. */
  over(now: number, limit: number): Promise<number[]>;
  push(partition: number, items: readonly QueueItem[]): Promise<void>;
  /** Those after this position, in their order, until they have so many bytes. */
  after(partition: number, position: number, portion: { limit: number; bytes: number }): Promise<QueueItem[]>;
  /** Removes and answers the first ones, in their order. */
  take(partition: number, limit: number): Promise<QueueItem[]>;
  /** Removes items of a partition; answers how many went. */
  removeItems(partition: number, limit: number): Promise<number>;
  /** Removes items, then partitions of a queue; answers how many rows went. */
  removeAll(queue: number, limit: number): Promise<number>;
}

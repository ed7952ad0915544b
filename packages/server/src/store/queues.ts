/** SQL of what is in queues. */
import type { DatabaseSync } from "node:sqlite";

import type { Partition, QueueItem, Queues, QueueSizes } from "../domain/queue.ts";
import { portionOf, prepare } from "./sql.ts";

const columns = `number, next, items, bytes, kept_until AS keptUntil`;

export function queuesIn(database: DatabaseSync): Queues {
  return { ...partitionsIn(database), ...itemsIn(database) };
}

function partitionsIn(database: DatabaseSync): Omit<Queues, "push" | "after" | "take" | "removeItems" | "removeAll"> {
  const partition = prepare<Partition>(
    database,
    `SELECT ${columns} FROM queue_partitions WHERE queue = :queue AND key = :key`,
  );
  const insert = prepare<Partition>(
    database,
    `INSERT INTO queue_partitions (queue, key, next, items, bytes, kept_until)
     VALUES (:queue, :key, :next, :items, :bytes, :keptUntil) RETURNING ${columns}`,
  );
  const update = prepare(
    database,
    `UPDATE queue_partitions SET next = :next, items = :items, bytes = :bytes, kept_until = :keptUntil
     WHERE number = :number`,
  );
  const remove = prepare(database, `DELETE FROM queue_partitions WHERE number = :partition`);
  const count = prepare<{ partitions: number }>(
    database,
    `SELECT count(*) AS partitions FROM (SELECT 1 FROM queue_partitions WHERE queue = :queue LIMIT :limit)`,
  );
  const sizes = prepare<QueueSizes>(
    database,
    `SELECT count(*) AS partitions, coalesce(sum(items), 0) AS items FROM queue_partitions
     WHERE queue = :queue AND kept_until > :now AND items > 0`,
  );
  const over = prepare<{ number: number }>(
    database,
    `SELECT number FROM queue_partitions WHERE kept_until <= :now LIMIT :limit`,
  );
  return {
    partition: async (queue, key) => partition.one({ queue, key }),
    insertPartition: async (queue, key, partition) => {
      const inserted = insert.one({ queue, key, ...partition });
      if (inserted === undefined) throw new Error("a row that was inserted was not returned");
      return inserted;
    },
    updatePartition: async (partition) => void update.run({ ...partition }),
    removePartition: async (partition) => void remove.run({ partition }),
    countPartitions: async (queue, limit) => count.one({ queue, limit })?.partitions ?? 0,
    sizes: async (queue, now) => sizes.one({ queue, now }) ?? { partitions: 0, items: 0 },
    over: async (now, limit) => over.all({ now, limit }).map(({ number }) => number),
  };
}

function itemsIn(database: DatabaseSync): Pick<Queues, "push" | "after" | "take" | "removeItems" | "removeAll"> {
  const push = prepare(
    database,
    `INSERT INTO queue_items (part, position, value) VALUES (:partition, :position, :value)`,
  );
  const after = prepare<QueueItem>(
    database,
    `SELECT position, value FROM queue_items WHERE part = :partition AND position > :position
     ORDER BY position LIMIT :limit`,
  );
  const take = prepare<QueueItem>(
    database,
    `DELETE FROM queue_items WHERE number IN (
       SELECT number FROM queue_items WHERE part = :partition ORDER BY position LIMIT :limit)
     RETURNING position, value`,
  );
  const removeItems = prepare(
    database,
    `DELETE FROM queue_items WHERE number IN (SELECT number FROM queue_items WHERE part = :partition LIMIT :limit)`,
  );
  const firstPartition = prepare<{ partition: number }>(
    database,
    `SELECT number AS partition FROM queue_partitions WHERE queue = :queue LIMIT 1`,
  );
  const removePartition = prepare(database, `DELETE FROM queue_partitions WHERE number = :partition`);
  return {
    push: async (partition, items) => {
      for (const { position, value } of items) push.run({ partition, position, value });
    },
    after: async (partition, position, { limit, bytes }) =>
      portionOf(after.each({ partition, position, limit }), bytes, ({ value }) => value.byteLength),
    // In whatever order they were deleted.
    take: async (partition, limit) => take.all({ partition, limit }).toSorted((a, b) => a.position - b.position),
    removeItems: async (partition, limit) => removeItems.run({ partition, limit }),
    removeAll: async (queue, limit) => {
      let rows = 0;
      while (rows < limit) {
        const first = firstPartition.one({ queue });
        if (first === undefined) break;
        rows += removeItems.run({ ...first, limit: limit - rows });
        if (rows < limit) rows += removePartition.run({ ...first });
      }
      return rows;
    },
  };
}

/** SQL of the streams of data that calls give while they run. */
import type { DatabaseSync } from "node:sqlite";

import type { Chunk } from "../domain/chunk.ts";
import type { Chunks } from "../domain/store.ts";
import { type Nullable, prepare } from "./sql.ts";

interface Row {
  index: number;
  dataFormat: Chunk["dataFormat"];
  data: Nullable<Uint8Array>;
  blobId: Nullable<string>;
}

const toChunk = ({ index, dataFormat, data, blobId }: Row): Chunk => ({
  index,
  dataFormat,
  data: blobId === null ? (data ?? new Uint8Array()) : { blobId },
});

export function chunksIn(database: DatabaseSync): Chunks {
  const insert = prepare(
    database,
    `INSERT INTO chunks (call_id, idx, data_format, data, blob_id) VALUES (:callId, :index, :dataFormat, :data, :blobId)
     ON CONFLICT (call_id, idx) DO NOTHING`,
  );
  const after = prepare<Row>(
    database,
    `SELECT idx AS "index", data_format AS dataFormat, data, blob_id AS blobId FROM (
       SELECT *, sum(coalesce(length(data), 0)) OVER (ORDER BY idx) - coalesce(length(data), 0) AS before
       FROM (SELECT * FROM chunks WHERE call_id = :callId AND idx > :index ORDER BY idx LIMIT 1000))
     WHERE before < :bytes ORDER BY idx`,
  );
  return {
    insert: async (callId, chunks) => {
      for (const { index, dataFormat, data } of chunks) {
        const stored = data instanceof Uint8Array ? { data, blobId: null } : { data: null, blobId: data.blobId };
        insert.run({ callId, index, dataFormat, ...stored });
      }
    },
    after: async (callId, index, bytes) => after.all({ callId, index, bytes }).map(toChunk),
  };
}

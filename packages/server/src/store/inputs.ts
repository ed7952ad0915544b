/** SQL of inputs. */
import type { DatabaseSync } from "node:sqlite";

import type { Ending, Input } from "../domain/input.ts";
import type { Inputs } from "../domain/store.ts";
import { type Nullable, orNull, orUndefined, prepare } from "./sql.ts";

type Optional = "containerId" | "claimedAt" | "dueAt";
type Row = Omit<Input, Optional | "ending"> & { [K in Optional]: Nullable<NonNullable<Input[K]>> } & {
  ending: Nullable<string>;
};

const withoutPayload = `id, call_id AS callId, function_id AS functionId, idx AS "index", state, method, attempt,
  failures, crashes, container_id AS containerId, claimed_at AS claimedAt, queued_at AS queuedAt, due_at AS dueAt, ending`;
const columns = `${withoutPayload}, payload`;
/** For those who only decide: a million payloads are never in memory. */
const bare = `${withoutPayload}, x'' AS payload`;

const toInput = (row: Row): Input => ({
  ...row,
  containerId: orUndefined(row.containerId),
  claimedAt: orUndefined(row.claimedAt),
  dueAt: orUndefined(row.dueAt),
  ending: row.ending === null ? undefined : (JSON.parse(row.ending) as Ending),
});
const toRow = (input: Input): Row => ({
  ...input,
  containerId: orNull(input.containerId),
  claimedAt: orNull(input.claimedAt),
  dueAt: orNull(input.dueAt),
  ending: input.ending === undefined ? null : JSON.stringify(input.ending),
});

/** What changes as an input moves. */
function movedOf(input: Input): Omit<Row, "callId" | "functionId" | "index" | "payload" | "method"> {
  const { id, state, attempt, failures, crashes, containerId, claimedAt, queuedAt, dueAt, ending } = toRow(input);
  return { id, state, attempt, failures, crashes, containerId, claimedAt, queuedAt, dueAt, ending };
}

/** A query for inputs, without its SELECT. */
function query(database: DatabaseSync, what: string, rest: string): (parameters?: Parameters) => Input[] {
  const statement = prepare<Row>(database, `SELECT ${what} FROM inputs WHERE ${rest}`);
  return (parameters) => statement.all(parameters).map(toInput);
}

type Parameters = Record<string, string | number>;

export function inputsIn(database: DatabaseSync): Inputs {
  return { ...rowsIn(database), ...byFunction(database), ...byCall(database), ...byTime(database) };
}

function rowsIn(database: DatabaseSync): Pick<Inputs, "insert" | "get" | "update" | "finish"> {
  const insert = prepare(
    database,
    `INSERT INTO inputs (id, call_id, function_id, idx, state, payload, method, attempt, failures, crashes, container_id,
       claimed_at, queued_at, due_at, ending)
     VALUES (:id, :callId, :functionId, :index, :state, :payload, :method, :attempt, :failures, :crashes, :containerId,
       :claimedAt, :queuedAt, :dueAt, :ending)`,
  );
  const moved = `state = :state, attempt = :attempt, failures = :failures, crashes = :crashes,
    container_id = :containerId, claimed_at = :claimedAt, queued_at = :queuedAt, due_at = :dueAt, ending = :ending`;
  const update = prepare(database, `UPDATE inputs SET ${moved} WHERE id = :id`);
  const finish = prepare(
    database,
    `UPDATE inputs SET ${moved}, output = :output, payload = iif(:keepsPayload, payload, x'') WHERE id = :id AND output IS NULL`,
  );
  const get = query(database, columns, `id = :id`);
  return {
    insert: async (input) => void insert.run(toRow(input)),
    get: async (id) => get({ id })[0],
    update: async (input) => void update.run(movedOf(input)),
    finish: async (input, { output, keepsPayload }) => {
      const changed = finish.run({ ...movedOf(input), output, keepsPayload: Number(keepsPayload) });
      if (changed !== 1) throw new Error(`input ${input.id} has an output already`);
    },
  };
}

function byFunction(
  database: DatabaseSync,
): Pick<Inputs, "queued" | "heldBy" | "idsHeldBy" | "claimed" | "waiting" | "unfinished"> {
  const ofFunction = `function_id = :functionId AND state = 'queued'`;
  const queued = query(database, columns, `${ofFunction} ORDER BY rowid LIMIT :limit`);
  const queuedOfMethod = query(database, columns, `${ofFunction} AND method = :method ORDER BY rowid LIMIT :limit`);
  const heldBy = query(database, columns, `container_id = :containerId AND state = 'claimed' ORDER BY rowid`);
  const idsHeldBy = prepare<{ id: string }>(
    database,
    `SELECT id FROM inputs WHERE container_id = :containerId AND state = 'claimed'`,
  );
  const claimed = query(database, bare, `state = 'claimed'`);
  const waiting = query(database, bare, `${ofFunction} LIMIT :limit`);
  const unfinished = query(
    database,
    bare,
    `${ofFunction}
     UNION ALL
     SELECT ${bare} FROM inputs WHERE function_id = :functionId AND state = 'delayed'
     UNION ALL
     SELECT ${bare} FROM inputs WHERE state = 'claimed' AND container_id IN
       (SELECT id FROM containers WHERE function_id = :functionId AND state <> 'gone')
     LIMIT :limit`,
  );
  return {
    queued: async (functionId, limit, method) =>
      method === undefined ? queued({ functionId, limit }) : queuedOfMethod({ functionId, limit, method }),
    heldBy: async (containerId) => heldBy({ containerId }),
    idsHeldBy: async (containerId) => idsHeldBy.all({ containerId }).map(({ id }) => id),
    claimed: async () => claimed(),
    waiting: async (functionId, limit) => waiting({ functionId, limit }),
    unfinished: async (functionId, limit) => unfinished({ functionId, limit }),
  };
}

function byCall(database: DatabaseSync): Pick<Inputs, "cancellable" | "holders" | "ofCall" | "failed"> {
  const cancellable = prepare<Row>(
    database,
    `SELECT ${bare} FROM inputs INDEXED BY inputs_unfinished WHERE call_id = :callId AND output IS NULL
       AND (ending IS NULL OR ending ->> 'status' <> 'terminated') LIMIT :limit`,
  );
  const holders = prepare<{ id: string }>(
    database,
    // By what is claimed, of which there is never much, and not by the call, which may be large.
    `SELECT DISTINCT container_id AS id FROM inputs WHERE +call_id = :callId AND state = 'claimed'`,
  );
  const ofCall = query(database, bare, `call_id = :callId ORDER BY idx LIMIT :limit`);
  const failed = query(
    database,
    columns,
    `call_id = :callId AND state = 'done' AND length(payload) > 0 AND idx > :after ORDER BY idx LIMIT :limit`,
  );
  return {
    cancellable: async (callId, limit) => cancellable.all({ callId, limit }).map(toInput),
    holders: async (callId) => holders.all({ callId }).map(({ id }) => id),
    ofCall: async (callId, limit) => ofCall({ callId, limit }),
    failed: async (callId, after, limit) => failed({ callId, after, limit }),
  };
}

function byTime(database: DatabaseSync): Pick<Inputs, "due" | "nextDue" | "ending"> {
  const due = query(database, bare, `state = 'delayed' AND due_at <= :now ORDER BY due_at LIMIT :limit`);
  const nextDue = prepare<{ at: Nullable<number> }>(
    database,
    `SELECT min(due_at) AS at FROM inputs WHERE state = 'delayed'`,
  );
  const ending = query(database, bare, `state = 'claimed' AND ending IS NOT NULL`);
  return {
    due: async (now, limit) => due({ now, limit }),
    nextDue: async () => orUndefined(nextDue.one()?.at ?? null),
    ending: async () => ending(),
  };
}

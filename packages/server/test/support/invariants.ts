/** What must hold in the database at every moment between two commits, whatever happened before. */
import assert from "node:assert/strict";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** Calls that are no more, of which rows are still to be removed. */
const forgotten = `SELECT target FROM sweeps WHERE what = 'forget'`;

/** Numbers of contents that are still to be removed. */
function emptied(what: string): string {
  return `SELECT CAST(target AS INTEGER) FROM sweeps WHERE what = '${what}'`;
}

/** Each query finds the rows that break its rule. */
const rules: Readonly<Record<string, string>> = {
  "demands.queued counts the inputs that wait": `
    SELECT f.id, d.queued, count(i.id) AS counted FROM functions f LEFT JOIN demands d ON d.function_id = f.id
    LEFT JOIN inputs i ON i.function_id = f.id AND i.state = 'queued' GROUP BY f.id HAVING ifnull(d.queued, 0) <> counted`,
  "demands.claimed counts the inputs that run": `
    SELECT f.id, d.claimed, count(i.id) AS counted FROM functions f LEFT JOIN demands d ON d.function_id = f.id
    LEFT JOIN inputs i ON i.function_id = f.id AND i.state = 'claimed' GROUP BY f.id HAVING ifnull(d.claimed, 0) <> counted`,
  "demands.delayed counts the inputs that wait for their next attempt": `
    SELECT f.id, d.delayed, count(i.id) AS counted FROM functions f LEFT JOIN demands d ON d.function_id = f.id
    LEFT JOIN inputs i ON i.function_id = f.id AND i.state = 'delayed' GROUP BY f.id HAVING ifnull(d.delayed, 0) <> counted`,
  "containers.held counts the inputs that it has claimed": `
    SELECT c.id, c.state, c.held, count(i.id) AS counted FROM containers c
    LEFT JOIN inputs i ON i.container_id = c.id AND i.state = 'claimed' GROUP BY c.id HAVING c.held <> counted`,
  "a claimed input is held by a living container of its function": `
    SELECT i.id, i.container_id, c.state FROM inputs i LEFT JOIN containers c ON c.id = i.container_id
    WHERE i.state = 'claimed' AND (c.id IS NULL OR c.state = 'gone' OR c.function_id <> i.function_id)`,
  "a claimed input says since when": `SELECT id FROM inputs WHERE state = 'claimed' AND claimed_at IS NULL`,
  "an input that waits belongs to no container": `
    SELECT id, container_id FROM inputs
    WHERE state IN ('queued', 'delayed') AND (container_id IS NOT NULL OR claimed_at IS NOT NULL)`,
  "a delayed input says until when, and no other does": `
    SELECT id, state, due_at FROM inputs WHERE (state = 'delayed') <> (due_at IS NOT NULL)`,
  "only what a container has is asked to stop": `
    SELECT id, state, ending FROM inputs WHERE ending IS NOT NULL AND state <> 'claimed'`,
  "an input that waits again was claimed as often as it failed, crashed or was lost": `
    SELECT id, attempt, failures, crashes FROM inputs WHERE failures + crashes > attempt`,
  "a done input has exactly one output, any other has none": `
    SELECT i.id, i.state, count(o.entry) AS outputs FROM inputs i LEFT JOIN outputs o ON o.input_id = i.id
    WHERE i.call_id NOT IN (${forgotten}) GROUP BY i.id HAVING outputs <> iif(i.state = 'done', 1, 0)`,
  "a done input names its output, and no other names one": `
    SELECT i.id, i.state, i.output, o.entry FROM inputs i LEFT JOIN outputs o ON o.input_id = i.id
    WHERE i.call_id NOT IN (${forgotten}) AND i.output IS NOT o.entry`,
  "an output belongs to an input of the same call": `
    SELECT o.entry, o.input_id FROM outputs o LEFT JOIN inputs i ON i.id = o.input_id AND i.call_id = o.call_id
    WHERE i.id IS NULL AND o.call_id NOT IN (${forgotten})`,
  "an input that is not done has its payload": `SELECT id FROM inputs WHERE state <> 'done' AND length(payload) = 0`,
  "calls.failed counts the inputs that ended without a value, which alone keep their payload, but for web requests": `
    SELECT c.id, c.failed, count(i.id) FILTER (WHERE i.state = 'done' AND length(i.payload) > 0) AS kept
    FROM calls c LEFT JOIN inputs i ON i.call_id = c.id GROUP BY c.id HAVING iif(c.shape = 'web', 0, c.failed) <> kept`,
  "calls.inputs and calls.unfinished count their inputs": `
    SELECT c.id, c.inputs, c.unfinished, count(i.id) AS counted, count(i.id) FILTER (WHERE i.state <> 'done') AS open
    FROM calls c LEFT JOIN inputs i ON i.call_id = c.id
    GROUP BY c.id HAVING c.inputs <> counted OR c.unfinished <> open`,
  "an input belongs to a call": `
    SELECT id FROM inputs WHERE call_id NOT IN (SELECT id FROM calls UNION ${forgotten})`,
  "a call without unfinished inputs that gets no more is finished, and no other is": `
    SELECT id, state, unfinished, finished_at FROM calls
    WHERE (state = 'finished') <> (state <> 'open' AND unfinished = 0) OR (state = 'finished') <> (finished_at IS NOT NULL)`,
  "a container that is gone says when and why, and no other does": `
    SELECT id, state, gone_at, gone_reason FROM containers
    WHERE (state = 'gone') <> (gone_at IS NOT NULL) OR (state = 'gone') <> (gone_reason IS NOT NULL)`,
  "a draining container has a time to be killed at, unless it ends by itself after what it holds": `
    SELECT id FROM containers WHERE state = 'draining' AND kill_at IS NULL AND held = 0`,
  "an image that is being built has a worker and a fence, and no other has": `
    SELECT id, state FROM images
    WHERE (state = 'building') <> (worker_id <> '') OR (state = 'building') <> (fence <> '')`,
  "an image that failed says why, and no other does; one that was built says what it is like": `
    SELECT id, state FROM images
    WHERE (state = 'failed') <> (failure IS NOT NULL) OR (state = 'built' AND built IS NULL) OR (built IS NULL) <> (built_at IS NULL)`,
  "an app that has stopped has nothing that lives or waits": `
    SELECT a.id FROM apps a WHERE a.state = 'stopped' AND (a.stopped_at IS NULL
      OR EXISTS (SELECT 1 FROM containers c WHERE c.app_id = a.id AND c.state <> 'gone')
      OR EXISTS (SELECT 1 FROM functions f JOIN demands d ON d.function_id = f.id WHERE f.app_id = a.id))`,
  "a partition of a queue counts its items and their bytes": `
    SELECT p.number, p.items, p.bytes, count(i.number) AS counted, sum(length(i.value)) AS summed FROM queue_partitions p
    LEFT JOIN queue_items i ON i.part = p.number
    WHERE p.queue NOT IN (${emptied("emptyQueue")})
    GROUP BY p.number HAVING p.items <> counted OR p.bytes <> ifnull(summed, 0)`,
  "a partition's items are before its next one": `
    SELECT i.part, i.position FROM queue_items i JOIN queue_partitions p ON p.number = i.part WHERE i.position >= p.next`,
  "what is in a partition, a queue or a dict that is no more is to be removed": `
    SELECT part AS contents FROM queue_items
    WHERE part NOT IN (SELECT number FROM queue_partitions UNION ${emptied("emptyPartition")})
    UNION ALL SELECT queue FROM queue_partitions
    WHERE queue NOT IN (SELECT contents FROM objects UNION ${emptied("emptyQueue")})
    UNION ALL SELECT dict FROM dict_entries
    WHERE dict NOT IN (SELECT contents FROM objects UNION ${emptied("emptyDict")})`,
  "a function that nothing waits for has no counts": `
    SELECT * FROM demands WHERE queued + claimed + delayed = 0 OR function_id NOT IN (SELECT id FROM functions)`,
};

/** Looks at a database again and again for rows that break a rule. */
export class Watch implements Disposable {
  readonly #database: DatabaseSync;
  readonly #rules: readonly (readonly [rule: string, query: StatementSync])[];

  constructor(file: string, of: Readonly<Record<string, string>> = rules) {
    this.#database = new DatabaseSync(file, { readOnly: true });
    this.#rules = Object.entries(of).map(([rule, query]) => [rule, this.#database.prepare(query)]);
  }

  /** One line for each row that breaks a rule. */
  broken(): string[] {
    return this.#rules.flatMap(([rule, query]) => query.all().map((row) => `${rule}: ${JSON.stringify(row)}`));
  }

  assert(during: string): void {
    assert.deepEqual(this.broken(), [], `the database contradicts itself ${during}`);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

export function assertInvariants(file: string, during = "now"): void {
  using watch = new Watch(file);
  watch.assert(during);
}

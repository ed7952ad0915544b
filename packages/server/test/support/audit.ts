/**
 * Every change of an input's row, written down by the database itself in the transaction that makes it: also what comes
 * and goes between two looks, and never what a death undid.
 */
import { DatabaseSync } from "node:sqlite";

import { Watch } from "./invariants.ts";

const schema = `
  CREATE TABLE audit (
    number INTEGER PRIMARY KEY, id TEXT, before TEXT, after TEXT, attempts INTEGER, failed INTEGER, crashed INTEGER,
    ending TEXT, failures INTEGER, retries INTEGER
  );
  CREATE TRIGGER audit_inputs AFTER UPDATE ON inputs BEGIN
    INSERT INTO audit (id, before, after, attempts, failed, crashed, ending, failures, retries)
    SELECT NEW.id, OLD.state, NEW.state, NEW.attempt - OLD.attempt, NEW.failures - OLD.failures,
      NEW.crashes - OLD.crashes, OLD.ending ->> 'status', OLD.failures,
      (SELECT policy ->> '$.retry.retries' FROM functions WHERE id = NEW.function_id);
  END;`;

/** What is true of the changes that break the rule. */
const rules: Readonly<Record<string, string>> = {
  "an input moves only as its states allow": `
    before || ' ' || after NOT IN ('queued claimed', 'queued done', 'claimed claimed', 'claimed queued',
      'claimed delayed', 'claimed done', 'delayed queued', 'delayed done')`,
  "a claim is an attempt, and nothing else is": `attempts <> (before = 'queued' AND after = 'claimed')`,
  "a failure counts when, and only when, the input is tried again for it": `failed <> (after = 'delayed')`,
  "no input is tried more often than its function allows": `after = 'delayed' AND failures >= retries`,
  "a crash counts at most once, for an input that goes back or ends by it": `
    crashed NOT IN (0, 1) OR (crashed = 1 AND (before <> 'claimed' OR after NOT IN ('queued', 'done')))`,
  "a cancelled input is not tried again": `ending = 'terminated' AND after IN ('queued', 'delayed')`,
  "what ran too long waits before it is tried again": `ending = 'timeout' AND after = 'queued'`,
};

export function beginAudit(file: string): void {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  database.exec(schema);
  database.close();
}

/** Finds the changes that break a rule. */
export function watchAudit(file: string): Watch {
  const queries = Object.entries(rules).map(([rule, broken]) => [rule, `SELECT * FROM audit WHERE ${broken}`]);
  return new Watch(file, Object.fromEntries(queries));
}

/** How often an input went from a container to its next attempt's delay, because its code failed or ran too long. */
export function retriesOf(
  file: string,
  inputId: string,
): { failed: number; timedOut: number; last: { failures: number; retries: number } } {
  const database = new DatabaseSync(file, { readOnly: true });
  const count = (condition: string): number => {
    const query = `SELECT count(*) AS n FROM audit WHERE id = ? AND before = 'claimed' AND after = 'delayed' AND ${condition}`;
    return Number(database.prepare(query).get(inputId)?.["n"]);
  };
  const last = database.prepare(`SELECT failures, retries FROM audit WHERE id = ? AND after = 'done'`).get(inputId) as {
    failures: number;
    retries: number;
  };
  const found = { failed: count("ending IS NULL"), timedOut: count("ending = 'timeout'"), last };
  database.close();
  return found;
}

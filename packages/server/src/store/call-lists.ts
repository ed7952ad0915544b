/** SQL of calls that are looked for by what they are. Each list has an index of its own: among a million calls those of an app may be few. */
import type { DatabaseSync } from "node:sqlite";

import type { Call } from "../domain/call.ts";
import type { CallFilter, Calls } from "../domain/store.ts";
import { callColumns, type CallRow, toCall } from "./call-rows.ts";
import { list, prepare } from "./sql.ts";

export function callListsIn(database: DatabaseSync): Pick<Calls, "newest" | "children" | "openOfWeb"> {
  const children = prepare<CallRow>(
    database,
    `SELECT ${callColumns} FROM calls WHERE parent_input_id = :inputId AND parent_input_id <> ''`,
  );
  const openOfWeb = prepare<CallRow>(
    database,
    `SELECT ${callColumns} FROM calls WHERE shape = 'web' AND state <> 'finished'`,
  );
  return {
    newest: newestIn(database),
    children: async (inputId) => children.all({ inputId }).map(toCall),
    openOfWeb: async () => openOfWeb.all().map(toCall),
  };
}

function newestIn(database: DatabaseSync): Calls["newest"] {
  const isIn = (column: string, ids: string): string =>
    `(:${ids} IS NULL OR ${column} IN (SELECT value FROM json_each(:${ids})))`;
  const state = `(:state IS NULL OR :state = CASE WHEN state <> 'finished' THEN 'open' WHEN failed > 0 THEN 'failed' ELSE 'succeeded' END)`;
  const newestOf = (where: string) =>
    prepare<CallRow>(
      database,
      `SELECT ${callColumns} FROM calls ${where} AND created_at >= :createdAfter AND ${state}
       ORDER BY created_at DESC, rowid DESC LIMIT :limit`,
    );
  const all = newestOf("WHERE TRUE");
  const ofFunction = newestOf("INDEXED BY calls_by_function WHERE function_id = :functionId");
  const owned = `${isIn("app_id", "appIds")} AND ${isIn("function_id", "functionIds")}`;
  const failed = newestOf(`INDEXED BY calls_failed WHERE failed > 0 AND ${owned}`);
  const open = newestOf(
    `WHERE id IN (SELECT call_id FROM inputs WHERE output IS NULL UNION ALL SELECT id FROM calls INDEXED BY calls_open WHERE state = 'open') AND ${owned}`,
  );
  const functions = prepare<{ id: string }>(
    database,
    `SELECT id FROM functions WHERE app_id IN (SELECT value FROM json_each(:appIds))`,
  );
  return async ({ createdAfter, appIds, functionIds, state: wanted }, limit) => {
    const common = { createdAfter, limit, state: wanted ?? null };
    const owners = { appIds: jsonOf(appIds), functionIds: jsonOf(functionIds) };
    if (wanted === "failed") return failed.all({ ...common, ...owners }).map(toCall);
    if (wanted === "open") return open.all({ ...common, ...owners }).map(toCall);
    const within = appIds && functions.all({ appIds: list(appIds) }).map(({ id }) => id);
    const asked = functionIds?.filter((id) => within === undefined || within.includes(id)) ?? within;
    if (asked === undefined) return all.all(common).map(toCall);
    const found = asked.flatMap((functionId) => ofFunction.all({ ...common, functionId }).map(toCall));
    return asked.length === 1 ? found : newestOfAll(found, limit);
  };
}

function newestOfAll(calls: readonly Call[], limit: number): Call[] {
  return calls.toSorted((a, b) => b.createdAt - a.createdAt).slice(0, limit);
}

const jsonOf = (ids: CallFilter["appIds"]): string | null => (ids === undefined ? null : list(ids));

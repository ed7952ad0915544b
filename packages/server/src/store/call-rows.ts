/** How calls stand in their table. */
import type { Call } from "../domain/call.ts";
import { type Nullable, orNull, orUndefined } from "./sql.ts";

export type CallRow = Omit<Call, "finishedAt" | "acknowledgedAt"> & {
  finishedAt: Nullable<number>;
  acknowledgedAt: Nullable<number>;
};

export const callColumns = `id, function_id AS functionId, app_id AS appId, state, shape, invocation, inputs, unfinished,
  created_at AS createdAt, finished_at AS finishedAt, acknowledged_at AS acknowledgedAt, parent_input_id AS parentInputId,
  failed`;

export const toCall = (row: CallRow): Call => ({
  ...row,
  finishedAt: orUndefined(row.finishedAt),
  acknowledgedAt: orUndefined(row.acknowledgedAt),
});

export const toCallRow = (call: Call): CallRow => ({
  ...call,
  finishedAt: orNull(call.finishedAt),
  acknowledgedAt: orNull(call.acknowledgedAt),
});

/** Waits for outputs of a call: one look, then a sleep until its bell rings or the time is up. */
import { type Bells, type Clock, sleep } from "@lydian/kit";

import { callBell } from "../domain/bells.ts";
import type { Call } from "../domain/call.ts";
import type { Output } from "../domain/input.ts";
import type { Store, Tx } from "../domain/store.ts";
import { knownCall } from "./known.ts";

export interface OutputQuery {
  callId: string;
  /** Those after this entry; 0 for all. */
  after: number;
  /** Only those whose index lies in this range. */
  range: { first: number; last: number } | undefined;
  atMost: number;
  waitMs: number;
}

export interface Awaited {
  call: Call;
  outputs: Output[];
}

/**
 * Of a call that still has many inputs to come, outputs go together: a map's client names all inputs that it waits for in each
 * request, so that one request for each output would be most of what client and server do. They wait for each other as many
 * milliseconds as there are inputs to come, so that the last ones do not wait.
 */
const many = 20;
const longestTogetherMs = 100;

/** Answers as soon as one output fits, or soon after when many are to come; when none can; or when the time is up. */
export async function awaitOutputs(
  deps: { store: Store; bells: Bells; clock: Clock },
  query: OutputQuery,
  signal: AbortSignal,
): Promise<Awaited> {
  const look = (): Promise<Awaited> => deps.store.read((tx) => outputsOf(tx, query));
  const found = await deps.bells.until(
    [callBell(query.callId)],
    async () => {
      const awaited = await look();
      return awaited.outputs.length > 0 || awaited.call.state === "finished" ? awaited : undefined;
    },
    { clock: deps.clock, waitMs: query.waitMs, signal },
  );
  if (found === undefined) return await look();
  if (found.call.unfinished < many || found.outputs.length === query.atMost) return found;
  await sleep(deps.clock, Math.min(found.call.unfinished, longestTogetherMs), signal);
  return await look();
}

async function outputsOf(tx: Tx, query: OutputQuery): Promise<Awaited> {
  const call = await knownCall(tx, query.callId);
  const { range, after, atMost } = query;
  const outputs = range
    ? await tx.outputs.between(call.id, range.first, range.last, atMost)
    : await tx.outputs.after(call.id, after, atMost);
  return { call, outputs: outputs.filter(({ entry }) => entry > after) };
}

/**
 * The caller has the outputs: a finished call is forgotten after the time that a repeated request may take. A map, whose
 * client does not say how many inputs it has, is finished by this.
 */
export async function acknowledge(tx: Tx, callId: string, now: number): Promise<void> {
  const call = await tx.calls.get(callId);
  if (call === undefined || call.unfinished > 0 || call.acknowledgedAt !== undefined) return;
  const finishedAt = call.finishedAt ?? now;
  await tx.calls.update({ ...call, state: "finished", finishedAt, acknowledgedAt: now });
}

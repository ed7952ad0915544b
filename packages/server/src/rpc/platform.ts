/** What the RPC families are given: the parts of the server that they translate to and from the wire. */
import { type DescMessage, type MessageInitShape, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Bells, Clock, Logger, NewId } from "@lydian/kit";

import type { Presence } from "../apps/presence.ts";
import type { Timeouts } from "../calls/timeouts.ts";
import type { ServerConfig } from "../config.ts";
import type { ContentStore } from "../content/content-store.ts";
import type { Context } from "../domain/context.ts";
import type { Store, Tx } from "../domain/store.ts";
import type { Interest } from "../images/interest.ts";
import type { LogBook } from "../logs/log-book.ts";
import type { Vault } from "../secrets/vault.ts";
import type { VolumeLives } from "../volumes/lives.ts";
import type { WorkerSessions } from "../workers/sessions.ts";
import type { Call } from "./adapter-call.ts";

export interface Platform {
  config: ServerConfig;
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  log: Logger;
  content: ContentStore;
  interest: Interest;
  logBook: LogBook;
  presence: Presence;
  sessions: WorkerSessions;
  timeouts: Timeouts;
  serverKey: Uint8Array;
  vault: Vault;
  volumeLives: VolumeLives;
}

export function contextOf(platform: Platform): Context {
  return { now: platform.clock.now(), newId: platform.newId };
}

/**
 * Runs a unit of work whose reply is kept with it: a request that comes again, because its reply was lost, gets the
 * same reply and changes nothing.
 */
export async function once<Reply extends DescMessage>(
  platform: Platform,
  call: Call,
  schema: Reply,
  unit: (tx: Tx, context: Context) => Promise<MessageInitShape<Reply>>,
): Promise<MessageInitShape<Reply>> {
  const { idempotencyKey, caller, rpc } = call;
  if (idempotencyKey === undefined) return platform.store.write((tx) => unit(tx, contextOf(platform)));
  const who = caller.kind === "user" ? caller.tokenId : caller.kind === "anyone" ? "" : caller.id;
  const key = `${who} ${rpc} ${idempotencyKey}`;
  return platform.store.write(async (tx) => {
    const kept = await tx.replies.find(key);
    if (kept !== undefined) return fromBinary(schema, kept);
    const context = contextOf(platform);
    const reply = create(schema, await unit(tx, context));
    await tx.replies.keep(key, toBinary(schema, reply), context.now);
    return reply;
  });
}

/** The wire's times are seconds with a fraction. */
export const toSeconds = (ms: number | undefined): number => (ms ?? 0) / 1000;

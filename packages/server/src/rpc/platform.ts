/** What the RPC families are given: the parts of the server that they translate to and from the wire. */
import { type DescMessage, type MessageInitShape, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Bells, Clock, Logger, NewId } from "@lydian/kit";

import type { Presence } from "../apps/presence.ts";
import type { Timeouts } from "../calls/timeouts.ts";
import type { ServerConfig } from "../config.ts";
import type { ContentStore } from "../content/content-store.ts";
import type { Unneeded } from "../content/unneeded.ts";
import type { Context } from "../domain/context.ts";
import type { Store, Tx } from "../domain/store.ts";
import type { Interest } from "../images/interest.ts";
import type { LineOwners } from "../logs/line-owners.ts";
import type { LogBook, Tell } from "../logs/log-book.ts";
import type { TaskTokens } from "../identity/task-tokens.ts";
import type { Tokens } from "../identity/tokens.ts";
import type { Heartbeats } from "../objects/heartbeats.ts";
import type { Vault } from "../secrets/vault.ts";
import type { StatisticsBook } from "../statistics/book.ts";
import type { VolumeChanges } from "../volumes/volume-changes.ts";
import type { WebCalls } from "../web/calls.ts";
import type { Desks } from "../web/desks.ts";
import type { StraightCalls } from "../web/straight.ts";
import type { Tunnels } from "../web/tunnels.ts";
import type { Drain } from "../workers/drain.ts";
import type { Execs } from "../workers/execs.ts";
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
  drain: Drain;
  execs: Execs;
  heartbeats: Heartbeats;
  interest: Interest;
  lineOwners: LineOwners;
  logBook: LogBook;
  presence: Presence;
  sessions: WorkerSessions;
  /** Writes a line into an app's log, as the platform's own. */
  tell: Tell;
  timeouts: Timeouts;
  taskTokens: TaskTokens;
  tokens: Tokens;
  unneeded: Unneeded;
  serverKey: Uint8Array;
  statistics: StatisticsBook;
  vault: Vault;
  volumeChanges: VolumeChanges;
  desks: Desks;
  straight: StraightCalls;
  tunnels: Tunnels;
  web: WebCalls;
}

/** What a caller is called in lists of who did what. */
export async function actorOf(tx: Tx, caller: Call["caller"]): Promise<string> {
  if (caller.kind === "container") return caller.id;
  const token = caller.kind === "user" ? await tx.identity.token(caller.tokenId) : undefined;
  return token?.name || ((await tx.identity.workspace())?.name ?? "");
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
  return (await onceThere(platform, call, schema, unit)) as MessageInitShape<Reply>; // the unit answers something
}

/** The same for a unit that may have nothing to answer yet; it changes nothing then, and nothing is kept. */
export async function onceThere<Reply extends DescMessage>(
  platform: Platform,
  call: Call,
  schema: Reply,
  unit: (tx: Tx, context: Context) => Promise<MessageInitShape<Reply> | undefined>,
  how: "write" | "note" = "write",
): Promise<MessageInitShape<Reply> | undefined> {
  const key = replyKey(call);
  const { store } = platform;
  if (key === undefined) return store[how]((tx) => unit(tx, contextOf(platform)));
  return store[how](async (tx) => {
    const kept = await tx.replies.find(key);
    if (kept !== undefined) return fromBinary(schema, kept);
    const context = contextOf(platform);
    const answer = await unit(tx, context);
    if (answer === undefined) return undefined;
    const reply = create(schema, answer);
    await tx.replies.keep(key, toBinary(schema, reply), context.now);
    return reply;
  });
}

/** Whether the reply to this call is kept. */
export async function wasAnswered(tx: Tx, call: Call): Promise<boolean> {
  const key = replyKey(call);
  return key !== undefined && (await tx.replies.find(key)) !== undefined;
}

/** What the reply to this call is kept under, for the next time that it comes; undefined when its client gives no key. */
export function replyKey({ idempotencyKey, caller, rpc }: Call): string | undefined {
  if (idempotencyKey === undefined) return undefined;
  const who = caller.kind === "user" ? caller.tokenId : caller.kind === "anyone" ? "" : caller.id;
  return `${who} ${rpc} ${idempotencyKey}`;
}

/** The page about an app, which the clients print. */
export const pageOf = ({ config }: Platform, appId: string): string => `${config.publicUrl}/apps/${appId}`;

/** The wire's times are seconds with a fraction. */
export const toSeconds = (ms: number | undefined): number => (ms ?? 0) / 1000;

/**
 * The store as the use cases see it: units of work over one small port per noun.
 *
 * A unit awaits nothing but its transaction. What it wrote is on disk when `write` resolves; the bells that it rang
 * sound then and only then. Units run one after another, so a unit sees no half-done work of another.
 */
import type { App, AppState } from "./app.ts";
import type { Deployments, Editions } from "./deployment.ts";
import type { CallHistory } from "./call-history.ts";
import type { Call, CallOutcome } from "./call.ts";
import type { ContentUses, UnneededThings } from "./content-uses.ts";
import type { Container, ContainerState } from "./container.ts";
import type { CallTarget, ClassRecord, Demand, FunctionRecord, Terms } from "./function.ts";
import type { Input, InputState, Output } from "./input.ts";
import type { Chunk } from "./chunk.ts";
import type { Dicts } from "./dict.ts";
import type { Happening } from "./happening.ts";
import type { NamedObject, ObjectKind } from "./named-object.ts";
import type { Schedules } from "./schedule.ts";
import type { Queues } from "./queue.ts";
import type { Secrets } from "./secret.ts";
import type { Statistics, Window } from "./statistics.ts";
import type { Sweep } from "./sweep.ts";
import type { Images } from "./image-store.ts";
import type { Entry, KeptEntry, Volume, VolumeCommit } from "./volume.ts";
import type { Blob, Identity, Mount, ProxyToken } from "./stored.ts";
import type { WebAddress } from "./web-address.ts";

export interface Store {
  write<T>(unit: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * As `write`, but does not wait for the disk: for what may be undone by a power cut, never by kill -9, without harm,
   * such as who has claimed an input. The next `write` takes it along.
   */
  note<T>(unit: (tx: Tx) => Promise<T>): Promise<T>;
  /** Sees what is committed, as of one moment. */
  read<T>(unit: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * A read that may take long, and await anything: it sees all as of the moment of its first look, and nobody waits for it. It is
   * to let the event loop go on by itself.
   */
  snapshot<T>(unit: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface Tx {
  readonly apps: Apps;
  readonly blobs: Blobs;
  readonly callHistory: CallHistory;
  readonly calls: Calls;
  readonly chunks: Chunks;
  readonly classes: Classes;
  readonly containers: Containers;
  readonly deployments: Deployments;
  readonly contentUses: ContentUses;
  readonly dicts: Dicts;
  readonly editions: Editions;
  readonly functions: Functions;
  readonly identity: Identity;
  readonly images: Images;
  readonly inputs: Inputs;
  readonly logs: Logs;
  readonly mounts: Mounts;
  readonly objects: Objects;
  readonly outputs: Outputs;
  readonly proxyTokens: ProxyTokens;
  readonly queues: Queues;
  readonly replies: Replies;
  readonly schedules: Schedules;
  readonly secrets: Secrets;
  readonly statistics: Statistics;
  readonly sweeps: Sweeps;
  readonly unneeded: UnneededThings;
  readonly volumes: Volumes;
  readonly webAddresses: WebAddresses;
  /** Wakes waiters (all, or `count` of them) once this unit is committed. */
  ring(bell: string, count?: number): void;
  /** Tells whoever counts or follows what happens, once this unit is committed. */
  tell(happening: Happening): void;
}

export interface ProxyTokens {
  insert(token: ProxyToken): Promise<void>;
  get(id: string): Promise<ProxyToken | undefined>;
  /** The oldest first. */
  all(): Promise<ProxyToken[]>;
  /** Whether it was there. */
  rename(id: string, name: string): Promise<boolean>;
  /** Whether it was there. */
  remove(id: string): Promise<boolean>;
}

export interface WebAddresses {
  get(host: string): Promise<WebAddress | undefined>;
  /** Whoever had this host loses it. */
  put(address: WebAddress): Promise<void>;
  removeOf(functionId: string): Promise<void>;
}

export interface Apps {
  insert(app: App): Promise<void>;
  get(id: string): Promise<App | undefined>;
  update(app: App): Promise<void>;
  /** The one that is deployed under this name. */
  deployed(environmentId: string, name: string): Promise<App | undefined>;
  /** The one that was deployed under this name most lately, of those that were stopped. */
  lastStopped(environmentId: string, name: string): Promise<App | undefined>;
  inStates(states: readonly AppState[]): Promise<App[]>;
  /** Those that stopped after this time, the newest first. */
  stoppedAfter(environmentId: string, after: number, limit: number): Promise<App[]>;
  /** The one of this name that stopped last, deployed or not. */
  lastOver(environmentId: string, name: string): Promise<App | undefined>;
  /** Ids of those with this id or name. */
  named(idOrName: string): Promise<string[]>;
}

export interface Functions {
  /** Inserts or replaces. */
  put(record: FunctionRecord): Promise<void>;
  get(id: string): Promise<FunctionRecord | undefined>;
  target(id: string): Promise<CallTarget | undefined>;
  ofApp(appId: string): Promise<FunctionRecord[]>;
  /** Ids of those with this id or name. */
  named(idOrName: string): Promise<string[]>;
  demand(id: string): Promise<Demand | undefined>;
  terms(id: string): Promise<Terms | undefined>;
  /** The variant with this key. */
  bound(key: string): Promise<FunctionRecord | undefined>;
  /** All that were bound from this function. */
  variants(baseId: string): Promise<FunctionRecord[]>;
  /** Adds to the counts of inputs by their state. */
  addDemand(id: string, change: DemandChange): Promise<void>;
  setCrashes(id: string, crashStreak: number, notBefore: number): Promise<void>;
  /** Of functions with inputs that wait or run, with containers that are not gone, or that always have some. */
  demands(): Promise<Demand[]>;
}

export type DemandChange = { readonly [State in Exclude<InputState, "done">]?: number };

export interface Classes {
  insert(record: ClassRecord): Promise<void>;
  get(id: string): Promise<ClassRecord | undefined>;
  ofApp(appId: string): Promise<ClassRecord[]>;
}

/** What is absent does not narrow the list. */
export interface CallFilter {
  createdAfter: number;
  appIds: readonly string[] | undefined;
  functionIds: readonly string[] | undefined;
  state: CallOutcome | undefined;
}

export interface Calls {
  insert(call: Call): Promise<void>;
  get(id: string): Promise<Call | undefined>;
  update(call: Call): Promise<void>;
  /** The newest first. */
  newest(filter: CallFilter, limit: number): Promise<Call[]>;
  /** Those that this input's code made. */
  children(inputId: string): Promise<Call[]>;
  /** Those of an app take no more inputs; those that have an output for each are finished. */
  closeOf(appId: string, now: number): Promise<void>;
  /** Of those that answer web requests, the ones without an output yet. */
  openOfWeb(): Promise<Call[]>;
  /** Those that finished before `finished` or were acknowledged before `acknowledged`. */
  forgettable(before: { finished: number; acknowledged: number }, limit: number): Promise<string[]>;
  /** Only the call itself. */
  remove(id: string): Promise<void>;
  /** Up to so many of its inputs, outputs and chunks; answers how many. */
  removeRows(id: string, limit: number): Promise<number>;
}

export interface Inputs {
  insert(input: Input): Promise<void>;
  get(id: string): Promise<Input | undefined>;
  /** Writes all but the payload, of one that is not done. */
  update(input: Input): Promise<void>;
  /** Writes one that is done, which it becomes once. Its payload is kept for another try of what failed, or goes. */
  finish(input: Input, end: { output: number; keepsPayload: boolean }): Promise<void>;
  /** The oldest that wait, in the order of their arrival; of one method, when one is given. */
  queued(functionId: string, limit: number, method?: string): Promise<Input[]>;
  /** Of all functions. */
  claimed(): Promise<Input[]>;
  /** What this container has claimed and not finished. */
  heldBy(containerId: string): Promise<Input[]>;
  /** Of the same, the ids alone: a concurrent container may have a thousand, and asks for more with each that it ends. */
  idsHeldBy(containerId: string): Promise<string[]>;
  /** Those of a function without an output yet, without their payloads; some of them, when there are more. */
  unfinished(functionId: string, limit: number): Promise<Input[]>;
  /** Those of a function that wait for a container, without their payloads; some of them, when there are more. */
  waiting(functionId: string, limit: number): Promise<Input[]>;
  /** Those of a call that are not finished and that nobody has asked to end; some of them, when there are more. */
  cancellable(callId: string, limit: number): Promise<Input[]>;
  /** The containers that hold inputs of this call. */
  holders(callId: string): Promise<string[]>;
  /** Those of a call, in order of their position. */
  ofCall(callId: string, limit: number): Promise<Input[]>;
  /** Those of a call that ended without a value, with their payloads, after this position. */
  failed(callId: string, after: number, limit: number): Promise<Input[]>;
  /** Delayed ones whose time has come, the earliest first. */
  due(now: number, limit: number): Promise<Input[]>;
  /** When the next delayed one is due. */
  nextDue(): Promise<number | undefined>;
  /** Those that containers are asked to stop. */
  ending(): Promise<Input[]>;
}

export interface Outputs {
  /** Answers the output's entry; it is found once its input is finished with that. */
  insert(output: Omit<Output, "entry">): Promise<number>;
  /** Those of a call with a larger entry, oldest first. */
  after(callId: string, entry: number, limit: number): Promise<Output[]>;
  of(inputId: string): Promise<Output | undefined>;
  /** Those of a call whose index lies in the range, both ends included. */
  between(callId: string, first: number, last: number, limit: number): Promise<Output[]>;
}

export interface Chunks {
  /** What is there already stays: an attempt that is repeated begins from the first index again. */
  insert(callId: string, chunks: readonly Chunk[]): Promise<void>;
  /** Those of a call with a larger index, in order, as many as fit into `bytes`, but at least one. */
  after(callId: string, index: number, bytes: number): Promise<Chunk[]>;
}

export interface Containers {
  insert(container: Container): Promise<void>;
  get(id: string): Promise<Container | undefined>;
  update(container: Container): Promise<void>;
  /** It holds that many inputs more, and has finished that many more; it is idle from `now` on when it holds none. */
  addHeld(id: string, change: { held: number; finished: number }, now: number): Promise<void>;
  /** Those that are not gone. */
  alive(): Promise<Container[]>;
  /** How many of a function are not gone. */
  countOf(functionId: string): Promise<number>;
  ofApp(appId: string, states: readonly ContainerState[]): Promise<Container[]>;
  /** Those of a worker that are not gone. */
  ofWorker(workerId: string): Promise<Container[]>;
  forget(goneBefore: number, limit: number): Promise<number>;
  /** How many there were in the window, and how many were not ready yet at its end. */
  during(window: Window): Promise<{ total: number; creating: number }>;
}

export interface Mounts {
  /** The same manifest and name are the same mount. */
  put(mount: Mount): Promise<Mount>;
  get(id: string): Promise<Mount | undefined>;
  remove(id: string): Promise<void>;
}

export interface Blobs {
  put(blob: Blob): Promise<void>;
  get(id: string): Promise<Blob | undefined>;
  remove(id: string): Promise<void>;
}

/** Where the log of an app or an image ends on disk: what lies beyond was written and never committed. */
export interface LogEnd {
  appId: string;
  segment: number;
  bytes: number;
}

export interface Logs {
  /** Up to where the log of this assignment of a container or a build is on disk, in its worker's measure. */
  offset(id: string, fence: string): Promise<number | undefined>;
  setOffset(id: string, fence: string, offset: number): Promise<void>;
  end(appId: string): Promise<LogEnd | undefined>;
  setEnd(end: LogEnd): Promise<void>;
  ends(): Promise<LogEnd[]>;
  /** As though nothing of its log had ever been written. */
  forget(appId: string): Promise<void>;
}

/** Replies kept for requests that may come again. */
export interface Replies {
  find(key: string): Promise<Uint8Array | undefined>;
  keep(key: string, reply: Uint8Array, at: number): Promise<void>;
  forget(before: number, limit: number): Promise<number>;
}

export interface Sweeps {
  insert(sweep: Sweep): Promise<void>;
  /** The one that was begun first. */
  first(): Promise<Sweep | undefined>;
  remove(sweep: Sweep): Promise<void>;
}

/** Dicts and queues as such. */
export interface Objects {
  /** Answers it with its number. */
  insert(object: Omit<NamedObject, "contents">): Promise<NamedObject>;
  get(id: string): Promise<NamedObject | undefined>;
  named(kind: ObjectKind, environmentId: string, name: string): Promise<NamedObject | undefined>;
  /** Those with a name that were made before this time, the newest first. */
  newest(kind: ObjectKind, environmentId: string, before: number, limit: number): Promise<NamedObject[]>;
  /** Ids of those without a name. */
  ephemeral(): Promise<string[]>;
  /** Not its contents. */
  remove(id: string): Promise<void>;
}

/** Where to go on in a list by path; what `after` names is not in it. */
export interface EntryPage {
  after: string;
  limit: number;
}

export interface Volumes extends VolumeHistory, OwedCommits {
  /** Inserts or replaces, but for the oldest state. */
  put(volume: Volume): Promise<void>;
  get(id: string): Promise<Volume | undefined>;
  named(environmentId: string, name: string): Promise<Volume | undefined>;
  /** The named ones of an environment that were made before this time, the newest first. */
  newest(environmentId: string, before: number, limit: number): Promise<Volume[]>;
  ephemeral(): Promise<Volume[]>;

  /** What a path shows in the state of a commit. */
  entry(volumeId: string, path: string, at: number): Promise<KeptEntry | undefined>;
  /** How many entries a folder has in the state of a commit. */
  width(volumeId: string, folder: string, at: number): Promise<number>;
  /** What a folder shows in the state of a commit, by path. */
  children(volumeId: string, folder: string, at: number, page: EntryPage): Promise<KeptEntry[]>;
  /** All below a folder in the state of a commit, by path. */
  below(volumeId: string, folder: string, at: number, page: EntryPage): Promise<KeptEntry[]>;
  /** All that is kept of what lies in a folder, by path and age, and whether the state of a commit shows it. */
  kept(
    volumeId: string,
    folder: string,
    at: number,
    page: { after: { path: string; since: number }; limit: number },
  ): Promise<{ path: string; since: number; isShown: 0 | 1 }[]>;
  /** From commit `since` on the path shows this. Nothing else may be there. */
  begin(volumeId: string, entry: Entry, since: number): Promise<void>;
  /** From commit `until` on the path shows nothing. Answers what it showed. */
  end(volumeId: string, path: string, until: number): Promise<KeptEntry | undefined>;

  /** Whether anything has begun or ended after the commit `head`. */
  isAhead(volumeId: string, head: number): Promise<boolean>;
  /** Takes back what has begun and ended after it; answers how many rows. */
  takeBack(volumeId: string, head: number, limit: number): Promise<number>;

  addCommit(commit: VolumeCommit): Promise<void>;
  /** The number of the commit with this key. */
  commitOf(volumeId: string, key: string): Promise<number | undefined>;
  /** What the state `to` shows and the state `from` did not, in order of commits and paths, after this place. */
  begun(volumeId: string, range: CommitRange, after: EntryPlace, limit: number): Promise<KeptEntry[]>;
  /** Paths that the state `from` showed and the state `to` does not, in the same order. */
  ended(volumeId: string, range: CommitRange, after: EntryPlace, limit: number): Promise<EntryPlace[]>;

  /** Forgets entries and commits of volumes that are deleted, and those themselves; answers how many rows. */
  forget(limit: number): Promise<number>;
}

/** Commits that have returned while their files are on their way: of each volume one at most. */
export interface OwedCommits {
  /** The commit's key. */
  owedOf(volumeId: string): Promise<string | undefined>;
  owe(volumeId: string, key: string): Promise<void>;
  paid(volumeId: string): Promise<void>;
  /** Those that are not owed by these keys any more. */
  owedBut(keys: readonly string[]): Promise<string[]>;
}

/** Which states of volumes can be read. */
export interface VolumeHistory {
  /** Those before this number, the newest first. */
  commitsBefore(volumeId: string, number: number, limit: number): Promise<VolumeCommit[]>;
  /** Those after this id with more than one state. */
  withHistory(after: string, limit: number): Promise<Volume[]>;
  /** The state that was the newest at this time, or an earlier one: looks at so many commits at most. */
  stateAt(volume: Pick<Volume, "id" | "oldest">, time: number, limit: number): Promise<number>;
  /** States before this one are not read any more. */
  setOldest(volumeId: string, oldest: number): Promise<void>;
  /** Forgets what only states that are not read any more showed, but not that there was something; answers how many rows. */
  trim(limit: number): Promise<number>;
  /** Forgets commits that are not read any more and were made before this time; answers how many. */
  forgetCommits(volume: Pick<Volume, "id" | "oldest">, before: number, limit: number): Promise<number>;
}

export interface CommitRange {
  from: number;
  to: number;
}

export interface EntryPlace {
  number: number;
  path: string;
}

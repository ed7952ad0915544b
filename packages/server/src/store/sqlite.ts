/**
 * The embedded store: one SQLite file, one writing and one reading connection in this process.
 *
 * Group commit: all units that arrive in one turn of the event loop share a transaction; each has a savepoint, so one that
 * throws takes nothing with it. SQLite itself does not wait for the disk (`synchronous = NORMAL`): write-ahead-log.ts
 * brings commits there, beside the event loop, and a write resolves when its commit is there. Bells ring before that.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";

import { type Bells, PlatformError } from "@lydian/kit";

import type { Happening, Hear } from "../domain/happening.ts";
import type { Store, Tx } from "../domain/store.ts";
import { appsIn } from "./apps.ts";
import { callHistoryIn } from "./call-history.ts";
import { callsIn, outputsIn } from "./calls.ts";
import { chunksIn } from "./chunks.ts";
import { containersIn } from "./containers.ts";
import { deploymentsIn, editionsIn } from "./deployments.ts";
import { contentUsesIn, unneededIn } from "./content-uses.ts";
import { dictsIn } from "./dicts.ts";
import { classesIn, functionsIn } from "./functions.ts";
import { inputsIn } from "./inputs.ts";
import { migrations } from "./migrations.ts";
import { identityIn } from "./identity.ts";
import { imagesIn } from "./images.ts";
import { objectsIn } from "./objects.ts";
import { queuesIn } from "./queues.ts";
import { schedulesIn } from "./schedules.ts";
import { secretsIn } from "./secrets.ts";
import { statisticsIn } from "./statistics.ts";
import { volumeHistoryIn } from "./volume-history.ts";
import { volumesIn } from "./volumes.ts";
import { type Sync, WriteAheadLog } from "./write-ahead-log.ts";
import { proxyTokensIn, webAddressesIn } from "./web.ts";
import { blobsIn, logsIn, mountsIn, repliesIn, sweepsIn } from "./stored.ts";

/** Units in one transaction at most, so that the first of a long queue does not wait for the last. */
const largestGroup = 256;

type Ring = Parameters<Tx["ring"]>;
type Nouns = Omit<Tx, "ring" | "tell">;

/** What a unit wants said once it is committed. */
interface Word {
  rings: Ring[];
  happenings: Happening[];
}
type Unit = (tx: Tx) => Promise<unknown>;

interface Waiting {
  unit: Unit;
  /** Must be on disk when it resolves. */
  durable: boolean;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** `hear` is told what happens; `sync` is a parameter for tests with a clock of their own. */
export function openStore(file: string, bells: Bells, sync?: Sync, hear: Hear = () => {}): Store {
  const writing = connect(file);
  migrate(writing, file);
  const reading = connectToRead(file);
  const log = new WriteAheadLog(`${file}-wal`, sync);
  const groups = new GroupCommit(writing, { bells, hear }, log);
  const reads = new Reads(reading);
  const snapshots = new Set<Promise<unknown>>();
  const snapshot = async <T>(unit: (tx: Tx) => Promise<T>): Promise<T> => {
    const reading = readStore(file).snapshot(unit);
    snapshots.add(reading);
    return await reading.finally(() => snapshots.delete(reading));
  };
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await groups.idle();
    await reads.idle();
    await Promise.allSettled(snapshots); // whoever reads them hears what became of them
    await log.close();
    reading.close();
    writing.close();
  };
  const refuse = (): Promise<never> => Promise.reject(new Error("the store is closed"));
  return {
    write: (unit) => (closed === undefined ? groups.write(unit, true) : refuse()),
    note: (unit) => (closed === undefined ? groups.write(unit, false) : refuse()),
    read: (unit) => (closed === undefined ? reads.read(unit) : refuse()),
    snapshot: (unit) => (closed === undefined ? snapshot(unit) : refuse()),
    close: () => (closed ??= close()),
  };
}

/** The snapshots of a store that this process does not write. Throws where its schema is another version's. */
export function readStore(file: string): Pick<Store, "snapshot"> {
  return {
    snapshot: async (unit) => {
      const database = connectToRead(file);
      try {
        const version = versionOf(database);
        if (version !== migrations.length) {
          throw new PlatformError(`${file} was written by another version of Lydian (schema ${version})`, {
            hint: "start that platform once with this version: lydian up",
          });
        }
        return await new Reads(database).read(unit);
      } finally {
        database.close();
      }
    },
  };
}

function versionOf(database: DatabaseSync): number {
  return (database.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
}

function connect(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5000 });
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384");
  return database;
}

function connectToRead(file: string): DatabaseSync {
  const database = connect(file);
  database.exec("PRAGMA query_only = ON");
  return database;
}

function migrate(database: DatabaseSync, file: string): void {
  const version = versionOf(database);
  if (version > migrations.length) {
    throw new PlatformError(`${file} was written by a newer version of Lydian (schema ${version})`, {
      hint: "install that version again, or start with another data folder",
    });
  }
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    database.exec(`BEGIN IMMEDIATE; ${step}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}

/** The nouns over one connection, with statements prepared once. */
function nouns(database: DatabaseSync): Nouns {
  return {
    apps: appsIn(database),
    blobs: blobsIn(database),
    callHistory: callHistoryIn(database),
    calls: callsIn(database),
    chunks: chunksIn(database),
    classes: classesIn(database),
    containers: containersIn(database),
    deployments: deploymentsIn(database),
    contentUses: contentUsesIn(database),
    dicts: dictsIn(database),
    editions: editionsIn(database),
    functions: functionsIn(database),
    identity: identityIn(database),
    images: imagesIn(database),
    inputs: inputsIn(database),
    logs: logsIn(database),
    mounts: mountsIn(database),
    objects: objectsIn(database),
    outputs: outputsIn(database),
    proxyTokens: proxyTokensIn(database),
    queues: queuesIn(database),
    replies: repliesIn(database),
    schedules: schedulesIn(database),
    secrets: secretsIn(database),
    statistics: statisticsIn(database),
    sweeps: sweepsIn(database),
    unneeded: unneededIn(database),
    volumes: { ...volumesIn(database), ...volumeHistoryIn(database) },
    webAddresses: webAddressesIn(database),
  };
}

interface Listeners {
  bells: Bells;
  hear: Hear;
}

class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #listeners: Listeners;
  readonly #log: WriteAheadLog;
  readonly #begin: StatementSync;
  readonly #end: StatementSync;
  readonly #queue: Waiting[] = [];
  /** One for all units, which run one after the other: to make one for each, of so many nouns, costs as much as some statements. */
  readonly #tx: Tx;
  /** What the unit that runs has to say. */
  #said: Word = { rings: [], happenings: [] };
  #running: Promise<void> | undefined;

  constructor(database: DatabaseSync, listeners: Listeners, log: WriteAheadLog) {
    this.#database = database;
    this.#listeners = listeners;
    this.#tx = {
      ...nouns(database),
      ring: (...ring) => void this.#said.rings.push(ring),
      tell: (happening) => void this.#said.happenings.push(happening),
    };
    this.#log = log;
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#end = database.prepare("COMMIT");
  }

  write<T>(unit: (tx: Tx) => Promise<T>, durable: boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ unit, durable, resolve: resolve as (value: unknown) => void, reject });
      this.#running ??= this.#drain();
    });
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      await new Promise((resolve) => setImmediate(resolve)); // lets this turn's other requests join
      await this.#commit(this.#queue.splice(0, largestGroup));
    }
    this.#running = undefined;
  }

  async #commit(group: Waiting[]): Promise<void> {
    const settle: (() => void)[] = [];
    const word: Word = { rings: [], happenings: [] };
    try {
      this.#begin.run();
      for (const waiting of group) settle.push(await this.#run(waiting, word, group.length > 1));
      this.#end.run();
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      for (const { reject } of group) reject(error);
      return;
    }
    // Whoever is woken sees what is committed, which no death of this process undoes; replies wait for the disk.
    const { bells, hear } = this.#listeners;
    for (const ring of word.rings) bells.ring(...ring);
    for (const happening of word.happenings) hear(happening);
    const synced = group.some(({ durable }) => durable) ? this.#log.sync() : undefined;
    for (const [index, { durable, reject }] of group.entries()) {
      const done = settle[index] ?? (() => {});
      if (durable && synced !== undefined) void synced.then(done, reject);
      else done();
    }
  }

  /**
   * Runs one unit inside the group's transaction; answers how to settle it once that is committed. One with others beside it
   * fails alone; what one alone throws ends the transaction.
   */
  async #run(waiting: Waiting, word: Word, hasOthers: boolean): Promise<() => void> {
    const own: Word = { rings: [], happenings: [] };
    this.#said = own;
    if (hasOthers) this.#database.exec("SAVEPOINT unit");
    try {
      const value = await waiting.unit(this.#tx);
      if (hasOthers) this.#database.exec("RELEASE unit");
      word.rings.push(...own.rings);
      word.happenings.push(...own.happenings);
      return () => waiting.resolve(value);
    } catch (error) {
      if (!hasOthers) throw error;
      this.#database.exec("ROLLBACK TO unit; RELEASE unit");
      return () => waiting.reject(error);
    }
  }
}

class Reads {
  readonly #begin: StatementSync;
  readonly #end: StatementSync;
  readonly #tx: Tx;
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: DatabaseSync) {
    this.#begin = database.prepare("BEGIN");
    this.#end = database.prepare("COMMIT");
    const refuse = (): never => {
      throw new Error("a unit that only reads rings no bell and tells nothing");
    };
    this.#tx = { ...nouns(database), ring: refuse, tell: refuse };
  }

  read<T>(unit: (tx: Tx) => Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.#run(unit));
    this.#last = result.catch(() => {}); // the next read does not care; the caller gets the error from `result`
    return result;
  }

  async idle(): Promise<void> {
    await this.#last;
  }

  async #run<T>(unit: (tx: Tx) => Promise<T>): Promise<T> {
    this.#begin.run();
    try {
      return await unit(this.#tx);
    } finally {
      this.#end.run();
    }
  }
}

/** The server's side of workers' sessions over a real store, and fake workers for it. */
import assert from "node:assert/strict";

import type { worker as wire } from "@lydian/contract";
import { silentLogger } from "@lydian/kit";
import { FakeWorker, type FakeWorkerOptions } from "@lydian/testkit";

import { timesSchema } from "../../src/config.ts";
import type { Container } from "../../src/domain/container.ts";
import type { Happening, Hear } from "../../src/domain/happening.ts";
import type { Store } from "../../src/domain/store.ts";
import { LineOwners } from "../../src/logs/line-owners.ts";
import { LogBook } from "../../src/logs/log-book.ts";
import { runSession } from "../../src/workers/session-stream.ts";
import { Dials } from "../../src/workers/dials.ts";
import { WorkerSessions } from "../../src/workers/sessions.ts";
import { assertInvariants } from "./invariants.ts";
import { testStore } from "./open-store.ts";
import { plantContainer, plantFunction, settings } from "./rows.ts";

export const times = timesSchema.parse({});
export const serverKey = new Uint8Array(32).fill(7);

/** The server's side of sessions, with one function planted; `join` makes a worker and connects it. */
export async function sessionScene(wrap: (store: Store) => Store = (store) => store) {
  const test = await testStore();
  const of = await test.does((tx, context) => plantFunction(tx, context));
  const store = wrap(test.store);
  const cut: string[] = [];
  const cutDoors = (id: string): void => void cut.push(id);
  const shared = { ...test, store, log: silentLogger, times, serverKey, cutDoors, settings };
  const sessions = new WorkerSessions(shared);
  const logBook = new LogBook({ folder: `${test.folder}/logs`, store: test.store, bells: test.bells });
  const wanted: { workerId: string; bytes: number }[] = [];
  const makeRoom = (workerId: string, bytes: number): void => void wanted.push({ workerId, bytes });
  const dials = new Dials(test, (workerId, message) => sessions.push(workerId, message));
  const heard: Happening[] = [];
  const hear: Hear = (happening) => void heard.push(happening);
  const deps = { ...shared, sessions, dials, logBook, lineOwners: new LineOwners(), makeRoom, hear };
  const workers: FakeWorker[] = [];
  const open = (messages: AsyncIterable<wire.FromWorker>, signal: AbortSignal) => runSession(deps, messages, signal);
  const settle = (): Promise<void> => test.clock.settle();
  return {
    ...test,
    of,
    sessions,
    dials,
    cut,
    /** What was told beside the store. */
    heard,
    /** Room that workers have asked for. */
    wanted,
    open,
    settle,
    worker: (options?: FakeWorkerOptions): FakeWorker => {
      const made = new FakeWorker(options);
      workers.push(made);
      return made;
    },
    join: async (worker: FakeWorker): Promise<void> => {
      await worker.connect(open);
      await settle();
    },
    plant: (changes: Partial<Container> = {}): Promise<Container> =>
      test.does((tx, context) => plantContainer(tx, of, context, changes)),
    container: (id: string) => test.store.read((tx) => tx.containers.get(id)),
    async [Symbol.asyncDispose]() {
      for (const each of workers) each.drop();
      sessions.close();
      await settle();
      assert.equal(test.clock.pending, 0, "nothing is left behind");
      assertInvariants(test.file);
      await test[Symbol.asyncDispose]();
    },
  };
}

export const said = (worker: FakeWorker, what: string): wire.ToWorker[] =>
  worker.received.filter(({ message }) => message.case === what);

/** Puts a container into the fake worker's hands as if it had been assigned earlier. */
export function hold(worker: FakeWorker, { id, fence }: Pick<Container, "id" | "fence">): void {
  worker.containers.set(id, {
    id,
    fence,
    doorSecret: "",
    spec: undefined,
    build: undefined,
    phase: "running",
    exit: undefined,
  });
}

/**
 * What workers are charged with under an id: containers, and builds under the id of their image. What a worker says of
 * either changes it here, so that a session need not know which of them it is about.
 */
import type { worker } from "@lydian/contract";
import { isId } from "@lydian/kit";

import { advance } from "../containers/begin.ts";
import { endContainer } from "../containers/end.ts";
import type { Container, Exit } from "../domain/container.ts";
import type { Image } from "../domain/image.ts";
import type { Store, Tx } from "../domain/store.ts";
import { ancestorsOf } from "../images/ancestors.ts";
import { endBuild } from "../images/transition.ts";
import type { WorkerSessions } from "./sessions.ts";
import { exitOf, outcomeOf } from "./wire.ts";

export interface Charge {
  readonly id: string;
  readonly fence: string;
  readonly workerId: string;
  /** Of its lines. */
  readonly log: { id: string; functionId: string };
  /** Its worker has come with it. */
  kept(): void;
  /** Its worker has come without it. */
  missed(): Promise<void>;
  /** Its main process runs. */
  runs(): Promise<void>;
  ended(exit: worker.Exit | undefined): Promise<void>;
}

export interface ChargeDeps {
  store: Store;
  sessions: WorkerSessions;
  cutDoors(containerId: string): void;
}

/** Undefined when there is none with this id now. */
export async function findCharge(tx: Tx, deps: ChargeDeps, id: string): Promise<Charge | undefined> {
  if (isId("im", id)) {
    const image = await tx.images.get(id);
    return image?.state === "building" ? build(deps, image) : undefined;
  }
  const container = await tx.containers.get(id);
  return container && running(deps, container);
}

export async function chargesOf(tx: Tx, deps: ChargeDeps, workerId: string): Promise<Charge[]> {
  const containers = await tx.containers.ofWorker(workerId);
  const images = (await tx.images.underWay()).filter((image) => image.workerId === workerId);
  return [...containers.map((each) => running(deps, each)), ...images.map((each) => build(deps, each))];
}

function running(deps: ChargeDeps, container: Container): Charge {
  const { store, sessions } = deps;
  const { id, fence, workerId, appId, functionId, state } = container;
  const end = async (exit: Exit): Promise<void> => {
    await store.write((tx) => endContainer(tx, id, exit, sessions.context()));
    deps.cutDoors(id);
  };
  return {
    id,
    fence,
    workerId,
    log: { id: appId, functionId },
    kept: () => {
      if (state === "ready") sessions.ready(container); // it may not have heard it
    },
    missed: async () => {
      if (state === "assigned") sessions.assign(container);
      else await end({ reason: "lost", message: "its worker came back without it" });
    },
    runs: () => store.note((tx) => advance(tx, id, "starting", sessions.context())),
    ended: (exit) => end(exitOf(exit)),
  };
}

function build(deps: ChargeDeps, image: Image): Charge {
  const { store, sessions } = deps;
  const { id, fence, workerId } = image;
  return {
    id,
    fence,
    workerId,
    log: { id, functionId: "" },
    kept: () => {},
    missed: async () => {
      const outcome = { kind: "lost", reason: "its worker came back without it" } as const;
      await store.write((tx) => endBuild(tx, image, outcome, sessions.context()));
      deps.cutDoors(id);
    },
    runs: async () => {},
    ended: async (exit) => {
      const outcome = outcomeOf(exit);
      if (outcome.kind === "built") {
        const made = await store.read((tx) => ancestorsOf(tx, image));
        // Before it is known to be built, so that no container finds its worker without it.
        sessions.hasMade(workerId, [...made.map((each) => each.id), id]);
      }
      await store.write((tx) => endBuild(tx, image, outcome, sessions.context()));
      deps.cutDoors(id);
    },
  };
}

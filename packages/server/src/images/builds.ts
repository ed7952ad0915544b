/** The loop that has images made: gives those that are wanted to workers, and ends builds whose time is over. */
import { type Bells, type Clock, type Logger, Lookout, type NewId, randomText } from "@lydian/kit";

import type { Times } from "../config.ts";
import type { ContentStore } from "../content/content-store.ts";
import { imagesBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { Image } from "../domain/image.ts";
import type { Store } from "../domain/store.ts";
import type { WorkerView } from "../domain/worker.ts";
import { ServerError } from "../errors.ts";
import type { Vault } from "../secrets/vault.ts";
import { type Build, buildMessage } from "./build-message.ts";
import type { AskAws } from "./registry-credentials.ts";
import { endBuild, moveImage } from "./transition.ts";

/** What the loop asks of the workers' sessions. */
export interface BuildHands {
  /** Those that are connected now. */
  workers(): WorkerView[];
  build(image: Image, build: Build): void;
  stop(build: Image, reason: string): void;
}

export interface BuildsDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  content: ContentStore;
  vault: Vault;
  hands: BuildHands;
  times: Pick<Times, "build">;
  askAws: AskAws;
  /** Writes into an image's log. */
  tell: (imageId: string, text: string) => void;
  log: Logger;
}

export class Builds {
  readonly #deps: BuildsDeps;
  readonly #lookout: Lookout;
  /** Images that wait for a worker, and whose log says so. */
  #told = new Set<string>();

  constructor(deps: BuildsDeps) {
    this.#deps = deps;
    const onFailure = (error: unknown): void =>
      deps.log.error({ err: error }, "a look at the images that are wanted failed");
    this.#lookout = new Lookout({ ...deps, bell: imagesBell, look: () => this.#pass(), onFailure });
  }

  start(): void {
    this.#lookout.start();
  }

  async close(): Promise<void> {
    await this.#lookout.close();
  }

  async #pass(): Promise<undefined> {
    const { store, hands, times } = this.#deps;
    const images = await store.read((tx) => tx.images.underWay());
    const { now } = this.#context();
    const workers = hands.workers();
    const building = images.filter(({ state }) => state === "building");
    const deadlineOf = ({ since, recipe }: Image): number => since + times.build + (recipe.called?.mostMs ?? 0);
    const overdue = building.filter((image) => deadlineOf(image) <= now);
    await this.#expire(overdue);
    for (const image of overdue) hands.stop(image, "its build took too long");
    for (const image of await this.#assign(turns(images, workers))) void this.#hand(image);
    this.#tellWaiting(images, workers);
    const left = building.filter((image) => !overdue.includes(image));
    this.#lookout.setAlarm(Math.min(...left.map(deadlineOf)));
    return undefined;
  }

  async #expire(overdue: readonly Image[]): Promise<void> {
    if (overdue.length === 0) return;
    await this.#deps.store.write(async (tx) => {
      for (const { id, since } of overdue) {
        const minutes = Math.round((this.#context().now - since) / 60_000);
        const message = `The build took longer than ${minutes} minutes, the most that it may.`;
        await moveImage(tx, id, { kind: "expire", failure: { status: "timeout", message } }, this.#context());
      }
    });
  }

  async #assign(chosen: readonly { image: Image; workerId: string }[]): Promise<Image[]> {
    if (chosen.length === 0) return [];
    return await this.#deps.store.write(async (tx) => {
      const assigned: Image[] = [];
      for (const { image, workerId } of chosen) {
        const event = { kind: "assign", workerId, fence: randomText(16) } as const;
        const moved = await moveImage(tx, image.id, event, this.#context());
        if (moved !== undefined) assigned.push(moved);
      }
      return assigned;
    });
  }

  /** Says to the worker what it is to build; what cannot be said fails the build. */
  async #hand(image: Image): Promise<void> {
    const { store, hands, tell, log } = this.#deps;
    if (image.losses > 0) tell(image.id, `The build was lost ${image.losses} times; it begins again.\n`);
    try {
      const has = hands.workers().find(({ id }) => id === image.workerId)?.images;
      hands.build(image, await buildMessage(this.#deps, image, (id) => has?.has(id) === true));
      const { secretIds } = image.recipe;
      if (secretIds.length > 0) await store.note((tx) => tx.secrets.setUsed(secretIds, this.#context().now));
    } catch (error) {
      if (!(error instanceof ServerError))
        log.error({ err: error, image: image.id }, "a build could not be handed over");
      const message =
        error instanceof ServerError ? error.text : "Its build could not be begun; the server's log says more.";
      const outcome = { kind: "failed", failure: { status: "failure", message } } as const;
      await store
        .write((tx) => endBuild(tx, image, outcome, this.#context()))
        .catch((cause: unknown) => log.error({ err: cause, image: image.id }, "a build ends only by its deadline"));
    }
  }

  #tellWaiting(images: readonly Image[], workers: readonly WorkerView[]): void {
    const waiting = workers.length > 0 ? [] : images.filter(({ state }) => state === "wanted");
    for (const { id } of waiting) {
      if (!this.#told.has(id)) this.#deps.tell(id, "Waits for a worker that makes images: none is connected now.\n");
    }
    this.#told = new Set(waiting.map(({ id }) => id));
  }

  #context(): Context {
    return { now: this.#deps.clock.now(), newId: this.#deps.newId };
  }
}

/** Who builds what now: in the order of arrival, by the worker with most left of its one build per core. */
export function turns(
  underWay: readonly Image[],
  workers: readonly WorkerView[],
): { image: Image; workerId: string }[] {
  const left = new Map(workers.map(({ id, capacity }) => [id, Math.max(1, Math.floor(capacity.milliCpu / 1000))]));
  const take = (id: string): void => void left.set(id, (left.get(id) ?? 0) - 1);
  for (const { state, workerId } of underWay) if (state === "building" && left.has(workerId)) take(workerId);
  const chosen: { image: Image; workerId: string }[] = [];
  for (const image of underWay.filter(({ state }) => state === "wanted")) {
    const [best] = [...left].filter(([, free]) => free > 0).toSorted(([, a], [, b]) => b - a);
    if (best === undefined) break;
    take(best[0]);
    chosen.push({ image, workerId: best[0] });
  }
  return chosen;
}

/**
 * The making of an image that the server has asked for: from its assignment to its release, with a log like a container's.
 *
 * It is never adopted: what a worker before was making is begun again, from the last step whose layer is there.
 */
import { appendFileSync } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { type Clock, type Logger, messageOf, PlatformError, removeBelow } from "@lydian/kit";

import { AcknowledgedOffset } from "../container/acknowledged.ts";
import { Door, type ServerAddress } from "../container/doors.ts";
import { buildsFolder, doorFile, doorsFolder } from "../container/folder.ts";
import { formatRecords } from "../container/log-format.ts";
import { ImageGoneError } from "../image-gone.ts";
import type { KnownImages, Outcome } from "./images.ts";
import { lastLines } from "./last-lines.ts";
import { StepTimeout } from "./function-step.ts";
import type { RecipeRequest } from "./recipe.ts";
import { StepError } from "./run-step.ts";
import type { StepCustomer, StepDoor } from "./step-host.ts";

/** Makes images of recipes, and knows those that are there. */
export interface ImageMaker {
  readonly images: Pick<KnownImages, "pin" | "forget"> & { find(id: string): Promise<Outcome | undefined> };
  make(request: RecipeRequest, customer: StepCustomer): Promise<Outcome>;
}

export interface BuildHost {
  readonly maker: ImageMaker;
  readonly clock: Clock;
  /** The worker's data folder. */
  readonly data: string;
  readonly server: ServerAddress;
  readonly newId: () => string;
  readonly logger: Logger;
}

type Assigned = Pick<wire.Assign, "containerId" | "fence" | "doorSecret">;

export class Build {
  readonly id: string;
  readonly fence: string;
  readonly logFile: string;
  readonly hasTerminal = false;
  readonly #host: BuildHost;
  readonly #folder: string;
  readonly #doorSecret: string;
  readonly #logger: Logger;
  readonly #acknowledged: AcknowledgedOffset;
  readonly #stop = new AbortController();
  readonly #gone = new AbortController();
  readonly #released = new AbortController();
  #exit: wire.Exit | undefined;
  #volumesId = "";

  private constructor({ containerId, fence, doorSecret }: Assigned, folder: string, host: BuildHost) {
    this.id = containerId;
    this.fence = fence;
    this.#host = host;
    this.#folder = folder;
    this.#doorSecret = doorSecret;
    this.logFile = join(folder, "log");
    this.#logger = host.logger.child({ image: containerId });
    this.#acknowledged = new AcknowledgedOffset(folder);
  }

  static async begin(assigned: Assigned, build: wire.Build, host: BuildHost): Promise<Build> {
    const { containerId: id } = assigned;
    if (!/^im-[A-Za-z0-9]+$/.test(id)) throw new PlatformError(`${JSON.stringify(id)} is no image's id`);
    const folder = join(buildsFolder(host.data), host.newId());
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const made = new Build(assigned, folder, host);
    await (await open(made.logFile, "a", 0o600)).close();
    void made.#run(build);
    return made;
  }

  get volumesId(): string {
    return this.#volumesId;
  }

  /** It is at work from its first moment. */
  get isRunning(): boolean {
    return true;
  }

  get isGone(): boolean {
    return this.#gone.signal.aborted;
  }

  get exit(): wire.Exit | undefined {
    return this.#exit;
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get released(): AbortSignal {
    return this.#released.signal;
  }

  get acknowledgedOffset(): number {
    return this.#acknowledged.value;
  }

  acknowledge(offset: number): void {
    this.#acknowledged.advance(offset);
  }

  /** A step has no last wishes: it ends at once. */
  async stop(): Promise<void> {
    this.#stop.abort(new PlatformError("the build was stopped"));
  }

  /** Nothing is slowed down at its start. */
  async ready(): Promise<void> {}

  async release(): Promise<void> {
    this.#released.abort();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Nothing of it can go on without this worker. */
  async leave(): Promise<void> {
    await this.stop();
  }

  async #run({ recipes, force }: wire.Build): Promise<void> {
    try {
      const image = await this.#make(recipes, force);
      this.#exit = create(wire.ExitSchema, { reason: wire.Exit_Reason.EXITED, built: builtToWire(image) });
    } catch (error) {
      this.#exit = await this.#failure(error);
    }
    this.#gone.abort();
  }

  async #make(recipes: readonly wire.ImageRecipe[], force: boolean): Promise<Outcome> {
    const { newId } = this.#host;
    const { signal } = this.#stop;
    const say = (line: string): void => this.#say(line);
    const openDoor = (): Promise<StepDoor> => this.#openDoor();
    const mounts = (id: string): void => void (this.#volumesId = id);
    const customer = { newId, folder: this.#folder, logFile: this.logFile, say, openDoor, mounts, signal };
    using pins = new DisposableStack();
    for (const { imageId } of recipes) pins.use(this.#host.maker.images.pin(imageId));
    let image: Outcome | undefined;
    for (const [index, recipe] of recipes.entries()) {
      const isLast = index === recipes.length - 1;
      const present = isLast ? undefined : await this.#host.maker.images.find(recipe.imageId);
      if (present === undefined && recipe.withheld) {
        await this.#host.maker.images.forget(recipe.imageId); // the server is told
        throw new ImageGoneError(`image ${recipe.imageId}, which this one stands on, is not on this worker any more`);
      }
      const nonce = isLast && force ? this.fence : undefined;
      image = present ?? (await this.#host.maker.make({ recipe, nonce }, customer));
    }
    if (image === undefined) throw new PlatformError("the build has no recipe");
    return image;
  }

  async #failure(error: unknown): Promise<wire.Exit> {
    if (this.#stop.signal.aborted) return create(wire.ExitSchema, { reason: wire.Exit_Reason.STOPPED });
    if (error instanceof ImageGoneError) {
      return create(wire.ExitSchema, { reason: wire.Exit_Reason.LOST, message: error.message });
    }
    if (!(error instanceof PlatformError)) this.#logger.error({ err: error }, "an image could not be made");
    const hint = error instanceof PlatformError && error.hint !== undefined ? `\n${error.hint}` : "";
    const shown = error instanceof StepError ? await lastLines(this.logFile) : "";
    const told = `${messageOf(error)}${hint}`;
    this.#say(told); // below what the step printed
    const reason = error instanceof StepTimeout ? wire.Exit_Reason.TIMED_OUT : wire.Exit_Reason.EXITED;
    return create(wire.ExitSchema, { reason, code: 1, message: `${told}${shown}` });
  }

  async #openDoor(): Promise<StepDoor> {
    const { data, newId, server } = this.#host;
    const door = await Door.open(doorFile(data, newId()), this.#doorSecret, server);
    return {
      file: door.file,
      admit: (inside) => door.admit(inside),
      [Symbol.asyncDispose]: async () => {
        await door.close();
        await removeBelow(doorsFolder(data), dirname(door.file));
      },
    };
  }

  #say(line: string): void {
    try {
      appendFileSync(this.logFile, formatRecords("system", this.#host.clock.now(), line));
    } catch (error) {
      this.#logger.warn({ err: error, line }, "a line could not be written into a build's log");
    }
  }
}

function builtToWire({ facts, config }: Outcome): { python: string; libc: string; workdir: string } {
  return { python: facts.python, libc: facts.libc, workdir: config.workdir };
}

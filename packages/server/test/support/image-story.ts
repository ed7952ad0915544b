/** A worker that makes images, and clients that have images made: for stories of builds. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ImageGetOrCreateResponse,
  type ImageJoinStreamingResponse,
  type ImageSchema,
  worker as wire,
} from "@lydian/contract";
import type { FakeWorkerOptions, HeldContainer } from "@lydian/testkit";

import type { Image } from "../../src/domain/image.ts";
import { ConnectionLost } from "./server-process.ts";
import { World, rpc } from "./world.ts";

const caller = { kind: "user", tokenId: "ak-owner" } as const;

/** What a client asks for besides lines. */
export interface Wanted {
  image?: Exclude<MessageInitShape<typeof ImageSchema>, { $typeName: string }>;
  buildFunctionId?: string;
  forceBuild?: boolean;
  ignoreCache?: boolean;
}

/** How a client's wait for a build ended, and the log that it saw. */
export interface Followed {
  log: string;
  last: ImageJoinStreamingResponse | undefined;
}

/** A function, as the compiler takes a signal for what it was when it was looked at last. */
const isOver = (signal: AbortSignal): boolean => signal.aborted;

export class ImageStory implements AsyncDisposable {
  readonly world: World;
  /** In the order in which they were assigned. */
  readonly builds: HeldContainer[];
  /** Ids of the images whose builds the server has ended. */
  readonly stopped: string[];

  /** What the worker has. */
  readonly images: Set<string>;

  private constructor(world: World, images: Set<string>, builds: HeldContainer[], stopped: string[]) {
    this.world = world;
    this.images = images;
    this.builds = builds;
    this.stopped = stopped;
  }

  /** With a worker that makes images, and has made the one of the world's function; it is not yet connected. */
  static async begin(options: FakeWorkerOptions = {}): Promise<ImageStory> {
    const images = new Set<string>();
    const builds: HeldContainer[] = [];
    const stopped: string[] = [];
    const world: World = await World.begin({
      images,
      onAssign: (held) => void (held.build !== undefined && builds.push(held)),
      onStop: ({ id }) => {
        stopped.push(id);
        world.worker.exit(id, { reason: wire.Exit_Reason.STOPPED });
      },
      ...options,
    });
    const story = new ImageStory(world, images, builds, stopped);
    await story.join();
    const [own] = builds.splice(0);
    if (own === undefined) throw new Error("the function's image was not assigned");
    world.worker.make(own.id);
    await world.rest();
    return story;
  }

  async join(): Promise<void> {
    await this.world.join();
    await this.world.rest();
  }

  /** A client asks for an image of these lines. */
  async want(
    lines: readonly string[],
    { image = {}, ...request }: Wanted = {},
    key?: string,
  ): Promise<ImageGetOrCreateResponse> {
    const asked = { ...request, image: { dockerfileCommands: [...lines], ...image } };
    const reply = await this.world.asUser(rpc.imageGetOrCreate, asked, key);
    await this.world.rest();
    return reply;
  }

  /** Follows as the clients do: one stream after the other, until one says how it ended; ends with the signal, too. */
  async follow(
    imageId: string,
    signal: AbortSignal = new AbortController().signal,
    followed: Followed = { log: "", last: undefined },
  ): Promise<Followed> {
    let lastEntryId = "";
    while (followed.last === undefined && !signal.aborted) {
      const server = await this.world.server();
      const from = { caller, signal };
      try {
        for await (const answer of server.stream(rpc.imageJoinStreaming, { imageId, timeout: 55, lastEntryId }, from)) {
          lastEntryId = answer.entryId || lastEntryId;
          followed.log += answer.taskLogs.map(({ data }) => data).join("");
          if ((answer.result?.status ?? 0) !== 0) followed.last = answer;
        }
      } catch (error) {
        if (!(error instanceof ConnectionLost) && !isOver(signal)) throw error;
      }
    }
    return followed;
  }

  /** The one build that is assigned now and was not looked at before. */
  next(): HeldContainer {
    const [build, ...others] = this.builds.splice(0);
    if (build === undefined || others.length > 0)
      throw new Error(`${others.length + (build ? 1 : 0)} builds instead of one`);
    return build;
  }

  /** The worker tells a piece of a build's log that begins at this offset, one byte per character. */
  tell({ id: containerId, fence }: HeldContainer, offset: number, text: string): void {
    const data = new TextEncoder().encode(text);
    const lines = [{ stream: wire.Logs_Stream.STDOUT, timeMs: 1_500n, data, size: data.length }];
    const value = { containerId, fence, offset: BigInt(offset), endOffset: BigInt(offset + data.length), lines };
    this.world.worker.send({ case: "logs", value });
  }

  /** Lets time go by in which everybody else lives on. */
  async pass(ms: number): Promise<void> {
    const { clock } = this.world;
    for (const end = clock.now() + ms; clock.now() < end;) {
      await this.world.keepAlive();
      await clock.advance(Math.min(1_000, end - clock.now()));
      await this.world.rest();
    }
  }

  async image(id: string): Promise<Image | undefined> {
    const server = await this.world.server();
    return await server.store.read((tx) => tx.images.get(id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

/** Functions that are called as steps of images: what the worker is told, what makes two of them the same, how they end. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type BuildFunctionSchema,
  ContainerArgumentsSchema,
  FunctionInputSchema,
  type FunctionSchema$,
  GenericResult_GenericStatus as Status,
  type ImageGetOrCreateResponse,
  ObjectCreationType,
  worker as wire,
} from "@lydian/contract";

import { ImageStory, type Wanted } from "../support/image-story.ts";
import { rpc } from "../support/world.ts";

const { TIMED_OUT, EXITED } = wire.Exit_Reason;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

type Called = MessageInitShape<typeof BuildFunctionSchema>;

/** A story with an image that functions are called on. */
class CallStory implements AsyncDisposable {
  readonly story: ImageStory;
  readonly base: string;

  private constructor(story: ImageStory, base: string) {
    this.story = story;
    this.base = base;
  }

  static async begin(): Promise<CallStory> {
    const story = await ImageStory.begin();
    const { imageId } = await story.want(["FROM base"]);
    story.world.worker.make(story.next().id);
    await story.world.rest();
    return new CallStory(story, imageId);
  }

  /** A client defines a function, and asks for an image with it. */
  async want(
    definition: MessageInitShape<typeof FunctionSchema$> = {},
    called: Called = {},
    wanted: Wanted = {},
  ): Promise<ImageGetOrCreateResponse> {
    const { world } = this.story;
    const given = { functionName: "build", imageId: this.base, ...definition };
    const { functionId } = await world.asUser(rpc.functionCreate, { appId: world.appId, function: given });
    const image = {
      baseImages: [{ dockerTag: "base", imageId: this.base }],
      buildFunction: { definition: "def build(): ...", globals: bytes("globals"), ...called },
    };
    const reply = await this.story.want([], { ...wanted, image, buildFunctionId: functionId });
    for (let turn = 0; turn < 3; turn++) await world.rest(); // content is read at its own pace
    return reply;
  }

  /** What the worker is to call. */
  async next(): Promise<{ id: string; doorSecret: string; fence: string; called: wire.BuildFunction }> {
    while (this.story.builds.length === 0) await this.story.world.rest();
    const { id, fence, doorSecret, build } = this.story.next();
    const called = build?.recipes.at(-1)?.function;
    assert.ok(called);
    return { id, fence, doorSecret, called };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.story[Symbol.asyncDispose]();
  }
}

describe("a function that is called for an image", () => {
  it("goes to the worker with all that its container needs, its secrets beside it", async () => {
    await using calls = await CallStory.begin();
    const { world } = calls.story;
    const envDict = { TOKEN: "t0ken" };
    const { secretId } = await world.asUser(rpc.secretGetOrCreate, {
      objectCreationType: ObjectCreationType.ANONYMOUS_OWNED_BY_APP,
      appId: world.appId,
      envDict,
    });
    const { imageId } = await calls.want(
      { secretIds: [secretId], timeoutSecs: 90, resources: { milliCpu: 500, memoryMb: 64, memoryMbMax: 256 } },
      { input: { argsOneof: { case: "args", value: bytes("args") } } },
    );
    while (calls.story.builds.length === 0) await world.rest();
    const { id, build } = calls.story.next();
    assert.equal(id, imageId);
    const recipe = build?.recipes.at(-1);
    assert.deepEqual([recipe?.lines, recipe?.bases, recipe?.secrets], [[], { base: calls.base }, { TOKEN: "t0ken" }]);
    const called = recipe?.function;
    assert.deepEqual(
      [called?.name, called?.timeoutMs, called?.resources?.milliCpu, called?.resources?.memoryLimitMib],
      ["build", 90_000n, 500n, 256n],
    );
    const containerArguments = fromBinary(ContainerArgumentsSchema, called?.arguments ?? new Uint8Array());
    assert.equal(containerArguments.functionDef?.functionName, "build");
    assert.equal(containerArguments.taskId, called?.taskId);
    assert.equal(called?.env["OMP_NUM_THREADS"], "1");
    const input = fromBinary(FunctionInputSchema, called?.input ?? new Uint8Array());
    assert.deepEqual(input.argsOneof, { case: "args", value: Buffer.from("args") });
  });

  it("is the same for the same source, globals and arguments, whatever else differs", async () => {
    await using calls = await CallStory.begin();
    const first = await calls.want({ timeoutSecs: 10 });
    calls.story.world.worker.make((await calls.next()).id);
    await calls.story.world.rest();
    const again = await calls.want({ timeoutSecs: 20, resources: { milliCpu: 4000 } });
    assert.deepEqual([again.imageId, again.result?.status], [first.imageId, Status.SUCCESS]);
    const others: Called[] = [
      { definition: "def build(): pass" },
      { globals: bytes("others") },
      { input: { argsOneof: { case: "args", value: bytes("args") } } },
    ];
    const ids = new Set([first.imageId]);
    for (const other of others) ids.add((await calls.want({}, other)).imageId);
    ids.add((await calls.want({}, {}, { forceBuild: true })).imageId);
    assert.equal(ids.size, 5);
  });
});

describe("the call of such a function", () => {
  it("that failed is made as the next request describes it: the code around it may be mended", async () => {
    await using calls = await CallStory.begin();
    const { imageId } = await calls.want({ moduleName: "broken" });
    const first = await calls.next();
    const following = calls.story.follow(imageId);
    calls.story.world.worker.exit(first.id, { reason: EXITED, code: 1, message: "the function failed" });
    assert.equal((await following).last?.result?.exception, "the function failed");
    const again = await calls.want({ moduleName: "mended" });
    assert.deepEqual([again.imageId, again.result], [imageId, undefined]);
    const { called } = await calls.next();
    assert.equal(fromBinary(ContainerArgumentsSchema, called.arguments).functionDef?.moduleName, "mended");
  });

  it("that takes too long is a timeout", async () => {
    await using calls = await CallStory.begin();
    const { imageId } = await calls.want();
    const build = await calls.next();
    const following = calls.story.follow(imageId);
    calls.story.world.worker.exit(build.id, { reason: TIMED_OUT, message: "the function took too long" });
    assert.equal((await following).last?.result?.status, Status.TIMEOUT);
  });

  it("reaches the server while its image is being built, and no longer", async () => {
    await using calls = await CallStory.begin();
    await calls.want();
    const build = await calls.next();
    const { resolveDoor: resolve } = await calls.story.world.server();
    assert.deepEqual(await resolve(build.doorSecret), { kind: "container", id: build.id });
    calls.story.world.worker.make(build.id);
    await calls.story.world.rest();
    assert.equal(await resolve(build.doorSecret), undefined);
  });

  it("needs a function that exists, and one image", async () => {
    await using calls = await CallStory.begin();
    const { story } = calls;
    const buildFunction = { definition: "def build(): ..." };
    const baseImages = [{ dockerTag: "base", imageId: calls.base }];
    await assert.rejects(
      story.want([], { image: { buildFunction, baseImages }, buildFunctionId: "fu-9" }),
      /fu-9.*does not exist/,
    );
    const functions = { image: { buildFunction }, buildFunctionId: story.world.functionId };
    await assert.rejects(story.want([], functions), /on one image/);
  });
});

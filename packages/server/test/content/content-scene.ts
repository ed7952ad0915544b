/** A platform's rows and files, and what a model says that they need. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { create, toBinary } from "@bufbuild/protobuf";
import { DataFormat, FunctionInputSchema, FunctionSchema$, GenericResultSchema } from "@lydian/contract";
import { ManualClock, predictableIds, type Random, temporaryFolder } from "@lydian/testkit";

import { submitCall } from "../../src/calls/submit.ts";
import type { ContentPlace } from "../../src/content/place.ts";
import type { Context } from "../../src/domain/context.ts";
import type { Tx } from "../../src/domain/store.ts";
import type { Entry } from "../../src/domain/volume.ts";
import { encodeDefinition } from "../../src/functions/definition.ts";
import { buildManifest } from "../../src/mounts/manifest.ts";
import { allBelow, Commit } from "../../src/volumes/commit.ts";
import { deleteVolume, getOrCreateVolume } from "../../src/volumes/manage.ts";
import { image, limits, plantFunction, recipe } from "../support/rows.ts";
import { beginContent, type MortalContent, times } from "./mortal-content.ts";

export const bytesOf = (n: number): Buffer => Buffer.from(`content ${n}`);
const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export class ContentScene {
  readonly clock = new ManualClock();
  readonly #folder: string;
  readonly #place: ContentPlace | undefined;
  readonly #newId = predictableIds();
  server: MortalContent;
  /** Digests by the calls, apps and images that need them as long as they are there. */
  readonly needs = new Map<string, string[]>();
  readonly #digests = new Map<string, string>();
  readonly #volumes: string[] = [];
  #next = 0;

  private constructor(folder: string, server: MortalContent, clock: ManualClock, place: ContentPlace | undefined) {
    this.#place = place;
    this.#folder = folder;
    this.server = server;
    this.clock = clock;
  }

  /** Without a place content lies in the folder. */
  static async begin(folder: string, place?: ContentPlace): Promise<ContentScene> {
    const clock = new ManualClock();
    const scene = new ContentScene(folder, await beginContent(folder, clock, place), clock, place);
    await scene.does((tx) => tx.identity.putEnvironment({ id: "en-1", name: "main", webSuffix: "", createdAt: 0 }));
    return scene;
  }

  does<T>(unit: (tx: Tx, context: Context) => Promise<T>): Promise<T> {
    return this.server.store.write((tx) => unit(tx, { now: this.clock.now(), newId: this.#newId }));
  }

  async revive(): Promise<void> {
    await this.server.bury();
    this.server = await beginContent(this.#folder, this.clock, this.#place);
  }

  /** Content that is new, or that was there once; answers its digest. */
  async upload(random?: Random): Promise<string> {
    const n = random?.once(3) === true && this.#next > 0 ? random.below(this.#next) : this.#next++;
    const options = random?.once(2) === true ? {} : { expectedSha256: digestOf(bytesOf(n)) };
    const { sha256 } = await this.server.content.put(bytesOf(n), options);
    return sha256;
  }

  async volume(): Promise<string> {
    const name = `volume-${this.#volumes.length}`;
    const request = { creation: "ifMissing", name, environment: "main", version: 1, createdBy: "me" } as const;
    const { id } = await this.does((tx, context) => getOrCreateVolume(tx, request, context));
    this.#volumes.push(id);
    return id;
  }

  /** What is not given is removed. */
  async commit(volumeId: string, path: string, sha256?: string): Promise<void> {
    const pieces = sha256 === undefined ? [] : [{ sha256, offset: 0, length: 1 }];
    const entry: Entry = { path, kind: "file", mode: 0o644, mtime: this.clock.now(), size: 1, pieces, target: "" };
    await this.does(async (tx, { now }) => {
      const volume = await tx.volumes.get(volumeId);
      assert.ok(volume);
      const change = sha256 === undefined ? { removed: [path], written: [] } : { removed: [], written: [entry] };
      await new Commit(volume, { ...change, key: undefined, madeBy: "me" }, limits, now).finish(tx);
    });
  }

  async deleteVolume(volumeId: string): Promise<void> {
    await this.does((tx) => deleteVolume(tx, volumeId));
  }

  async blob(sha256: string): Promise<string> {
    const id = this.#newId("bl");
    this.#digests.set(id, sha256);
    await this.does(async (tx, { now }) => {
      await tx.blobs.put({ id, sha256, size: 1, complete: true, createdAt: now });
      await this.server.unneeded.wantRow(tx, id);
    });
    return id;
  }

  /** A call with an argument, an item and a result that are blobs; answers its id. */
  async call(blobs: { argument: string; item: string; result: string }): Promise<string> {
    return await this.does(async (tx, context) => {
      const { id: functionId } = await plantFunction(tx, context);
      const input = create(FunctionInputSchema, { argsOneof: { case: "argsBlobId", value: blobs.argument } });
      const payload = toBinary(FunctionInputSchema, input);
      const inputs = [{ index: 0, payload, method: "" }];
      const submission = { functionId, parentInputId: "", shape: "unary", invocation: "async", inputs } as const;
      const { call } = await submitCall(tx, submission, limits, context);
      const [made] = await tx.inputs.ofCall(call.id, 1);
      const data = { blobId: blobs.item };
      await tx.chunks.insert(call.id, [{ index: 0, dataFormat: DataFormat.PICKLE, data }]);
      const result = create(GenericResultSchema, { dataOneof: { case: "dataBlobId", value: blobs.result } });
      await tx.outputs.insert({
        ...{ callId: call.id, inputId: made?.id ?? "in-none", index: 0, dataFormat: DataFormat.PICKLE },
        ...{ containerId: undefined, startedAt: undefined, createdAt: context.now },
        result: toBinary(GenericResultSchema, result),
      });
      this.needs.set(
        call.id,
        Object.values(blobs).map((id) => this.#digests.get(id) ?? ""),
      );
      return call.id;
    });
  }

  /** A function of an app that runs mounts this; answers its app. */
  async mount(sha256: string): Promise<{ appId: string; digests: string[] }> {
    const manifest = buildManifest([{ path: "/root/a", sha256, size: 1, mode: 0 }]);
    await this.server.content.put(manifest.bytes, { expectedSha256: manifest.sha256 });
    const digests = [manifest.sha256, sha256];
    const mountId = await this.does(async (tx, { newId }) => {
      const { id } = await tx.mounts.put({ id: newId("mo"), manifestSha256: manifest.sha256, name: "" });
      await this.server.unneeded.wantRow(tx, id);
      return id;
    });
    const appId = await this.does(async (tx, context) => {
      const record = await plantFunction(tx, context, { state: "deployed" });
      const definition = encodeDefinition(create(FunctionSchema$, { functionName: "f", mountIds: [mountId] }));
      await tx.functions.put({ ...record, definition });
      this.needs.set(record.appId, digests);
      return record.appId;
    });
    return { appId, digests };
  }

  async stopApp(appId: string): Promise<void> {
    await this.does(async (tx, { now }) => {
      const app = await tx.apps.get(appId);
      if (app !== undefined) await tx.apps.update({ ...app, state: "stopped", stoppedAt: now });
    });
  }

  async image(sha256: string): Promise<string> {
    return await this.does(async (tx, { newId, now }) => {
      const id = newId("im");
      const contextFiles = [{ path: "a", sha256 }];
      await tx.images.put(image({ id, key: id, since: now, recipe: recipe({ contextFiles }) }));
      this.needs.set(id, [sha256]);
      return id;
    });
  }

  /** By what is in the store now, and by the model. */
  async needed(): Promise<Set<string>> {
    const digests = new Set<string>();
    await this.server.store.read(async (tx) => {
      for (const [id, needed] of this.needs) {
        const app = await tx.apps.get(id);
        const isThere =
          (await tx.calls.get(id)) ?? (await tx.images.get(id)) ?? (app?.state === "stopped" ? undefined : app);
        if (isThere !== undefined) for (const digest of needed) digests.add(digest);
      }
      for (const id of this.#volumes) {
        const volume = await tx.volumes.get(id);
        if (volume === undefined || volume.state === "deleted") continue;
        for (let at = volume.oldest; at <= volume.head; at++) {
          for (const { pieces } of await allBelow((unit) => unit(tx), id, "", at))
            for (const { sha256 } of pieces) digests.add(sha256);
        }
      }
    });
    return digests;
  }

  async there(): Promise<Set<string>> {
    const all = new Set<string>();
    for await (const { sha256 } of this.server.content.list()) all.add(sha256);
    return all;
  }

  async assertNothingIsMissing(during: string): Promise<void> {
    const there = await this.there();
    assert.deepEqual(
      [...(await this.needed())].filter((digest) => !there.has(digest)),
      [],
      `${during}: what is needed is missing`,
    );
  }

  /** Looks as often as it takes for what nothing needs to be gone. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await this.server.collector.collect({ isDry: false });
      await this.clock.advance(times.contentKept + 1);
    }
    await this.server.collector.collect({ isDry: false });
  }

  async rows(): Promise<{ blobs: string[]; mounts: string[] }> {
    return await this.server.store.read(async (tx) => ({
      blobs: (await tx.contentUses.blobs("", 10_000)).found.map(({ id }) => id),
      mounts: (await tx.contentUses.mounts("", 10_000)).found.map(({ id }) => id),
    }));
  }
}

export async function contentScene(place?: ContentPlace) {
  const folder = await temporaryFolder();
  const made = await ContentScene.begin(folder.path, place);
  return {
    it: made,
    [Symbol.asyncDispose]: async () => {
      await made.server.bury();
      await folder[Symbol.asyncDispose]();
    },
  };
}

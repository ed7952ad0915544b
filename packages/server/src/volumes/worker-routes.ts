/** Volumes over HTTP for workers: what leads from one state to another, and commits of containers. */
import { Readable } from "node:stream";
import type { Socket } from "node:net";

import { create } from "@bufbuild/protobuf";
import { sizeDelimitedDecodeStream, sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { worker } from "@lydian/contract";
import type { Bells, Clock } from "@lydian/kit";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import { z } from "zod";

import type { Limits } from "../config.ts";
import type { ContentStore } from "../content/content-store.ts";
import { sha256Of } from "../content/digest.ts";
import { bodyOf } from "../content/request-body.ts";
import type { CommitRange, Store, Tx } from "../domain/store.ts";
import type { Entry } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { changePages, checkKept, readsOf } from "./changes.ts";
import { knownVolume } from "./known.ts";
import { owe, owesOnly, paid, settled } from "./owed.ts";
import { filePath } from "./paths.ts";
import type { VolumeChanges } from "./volume-changes.ts";
import { entryOfWire, entryToWire } from "./wire.ts";

export interface WorkerRoutesOptions {
  store: Store;
  bells: Bells;
  content: ContentStore;
  limits: Limits;
  clock: Clock;
  volumeChanges: VolumeChanges;
  /** Whether a connection is a worker's. */
  isWorker: (socket: Socket) => boolean;
  /** Free on the disk of the server's data, in bytes. */
  free: () => Promise<number>;
}

type VolumeRequest = Pick<FastifyRequest, "raw"> & { Params: { id: string }; Querystring: Record<string, unknown> };
type ContentRequest = Pick<FastifyRequest, "raw"> & { Params: { sha256: string } };

const sizeSchema = z.object({
  paths: z.number(),
  bytes: z.number(),
  largest: z.number(),
  folders: z.array(z.tuple([z.string(), z.number()])),
});

/** 403: not a worker; 404: there is no such volume, commit or content; 410: of that commit the state is not kept. */
export function volumeWorkerRoutes(options: WorkerRoutesOptions): FastifyPluginAsync {
  const { store, content, limits, volumeChanges } = options;
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _body, done) => done(null));
    app.addHook("onRequest", async (request) => {
      if (!options.isWorker(request.raw.socket)) throw fail("permissionDenied", "Only workers may do this.");
    });

    app.put<ContentRequest>("/content/:sha256", async (request) => {
      await content.put(bodyOf(request.raw), { expectedSha256: request.params.sha256 });
      return "";
    });

    app.head<ContentRequest>("/content/:sha256", async (request, reply) => {
      const size = await content.size(sha256Of(request.params.sha256));
      return await reply.code(size === undefined ? 404 : 200).send();
    });

    app.get<VolumeRequest>("/volumes/:id/changes", { exposeHeadRoute: false }, async (request, reply) => {
      const { id } = request.params;
      // Files of this machine's own worker may be on their way to what is the newest state; a number is of one that is there.
      if (request.query["to"] === undefined) await settled(options, id);
      const volume = await store.read((tx) => knownVolume(tx, id));
      const to = request.query["to"] === undefined ? volume.head : numberIn(request.query, "to");
      checkKept(volume, to); // or the answer would have begun before it is refused
      const range = { from: numberIn(request.query, "from"), to };
      return await reply.type("application/octet-stream").send(Readable.from(encoded(changes(store, id, range))));
    });

    app.get<VolumeRequest>("/volumes/:id/commits", { exposeHeadRoute: false }, async (request) => {
      const number = await store.read((tx) => tx.volumes.commitOf(request.params.id, textIn(request.query, "key")));
      if (number === undefined) throw fail("notFound", "There is no commit with this key.");
      return String(number);
    });

    app.post<VolumeRequest>("/volumes/:id/commits", async (request) => {
      const [key, madeBy] = [textIn(request.query, "key"), textIn(request.query, "by")];
      const { written, removed, digests } = await changeIn(bodyOf(request.raw));
      const [missing] = await content.missing(digests);
      if (missing !== undefined) throw fail("failedPrecondition", `Content ${missing} of the commit was not uploaded.`);
      const { id: volumeId } = request.params;
      const commitOf = (tx: Tx): Promise<number | undefined> => tx.volumes.commitOf(volumeId, key);
      const number = await volumeChanges.make({
        ...{ volumeId, key, isKnown: async (tx) => (await commitOf(tx)) !== undefined },
        find: async () => ({ key, madeBy, written, removed }),
        finish: (unit) =>
          store.write(async (tx) => {
            const number = (await commitOf(tx)) ?? (await unit(tx));
            await paid(tx, volumeId, key);
            return number;
          }),
      });
      return String(number ?? 0);
    });

    app.post<VolumeRequest>("/volumes/:id/owed", async (request) => {
      const [{ id }, key] = [request.params, textIn(request.query, "key")];
      const size = sizeSchema.parse(await jsonIn(bodyOf(request.raw)));
      if (!isLocal(request.raw.socket)) return "0"; // another machine may be lost with what it owes
      const free = await options.free();
      const owed = await volumeChanges.whenSettled(id, { key }, () =>
        store.write((tx) => owe(tx, id, { key, size, limits, free })),
      );
      return owed ? "1" : "0";
    });

    app.put("/volumes/owed", async (request) => {
      if (!isLocal(request.raw.socket)) return "";
      const keys = z.array(z.string()).parse(await jsonIn(bodyOf(request.raw)));
      await store.write((tx) => owesOnly(tx, keys));
      return "";
    });
  };
}

/** What leads from one state to the other, the removed paths first. */
async function* changes(store: Store, id: string, range: CommitRange): AsyncGenerator<worker.VolumeChange> {
  yield create(worker.VolumeChangeSchema, { change: { case: "head", value: BigInt(range.to) } });
  for await (const page of changePages(readsOf(store), id, range)) {
    if ("begun" in page) yield* page.begun.map(entryToWire);
    else for (const { path } of page.ended) yield removal(path);
  }
}

function removal(path: string): worker.VolumeChange {
  return create(worker.VolumeChangeSchema, { change: { case: "removed", value: path } });
}

async function* encoded(messages: AsyncIterable<worker.VolumeChange>): AsyncGenerator<Uint8Array> {
  for await (const message of messages) yield sizeDelimitedEncode(worker.VolumeChangeSchema, message);
}

interface SentChange {
  written: Entry[];
  removed: string[];
  /** Of the content that it refers to. */
  digests: Set<string>;
}

async function changeIn(body: AsyncIterable<Uint8Array>): Promise<SentChange> {
  const written: Entry[] = [];
  const removed: string[] = [];
  const digests = new Set<string>();
  for await (const { change } of sizeDelimitedDecodeStream(worker.VolumeChangeSchema, body)) {
    if (change.case === "written") {
      const entry = entryOfWire(change.value);
      written.push(entry);
      for (const { sha256, length } of entry.pieces) if (length > 0) digests.add(sha256);
    } else if (change.case === "removed")
      removed.push(`${filePath(change.value)}${change.value.endsWith("/") ? "/" : ""}`);
  }
  return { written, removed, digests };
}

async function jsonIn(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** Of a worker on this machine; a unix socket has no address. */
const isLocal = ({ remoteAddress = "" }: Socket): boolean => /^(?:|::1|(?:::ffff:)?127\..*)$/.test(remoteAddress);

function numberIn(query: Record<string, unknown>, name: string): number {
  const number = Number(query[name]);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw fail("invalidArgument", `"${name}" is no number of a commit.`);
}

function textIn(query: Record<string, unknown>, name: string): string {
  const text = query[name];
  if (typeof text === "string" && text !== "") return text;
  throw fail("invalidArgument", `"${name}" is missing.`);
}

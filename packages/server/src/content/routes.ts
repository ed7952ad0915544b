/** Blobs and content over HTTP. */
import type { Socket } from "node:net";

import type { FastifyPluginAsync, FastifyRequest } from "fastify";

import { fail } from "../errors.ts";
import type { BlobLinks } from "./blob-links.ts";
import type { BlobUploads } from "./blob-uploads.ts";
import type { ContentStore } from "./content-store.ts";
import { sha256Of } from "./digest.ts";
import { completionReply, parsePartList } from "./part-list.ts";
import { bodyOf } from "./request-body.ts";
import { sendContent } from "./send-content.ts";

export interface ContentRoutesOptions {
  store: ContentStore;
  links: BlobLinks;
  uploads: BlobUploads;
  /** Whether a connection is a worker's, which may read any content by its digest. */
  isWorker: (socket: Socket) => boolean;
}

/** 10,000 parts in the clients' notation need less. */
const largestPartList = 4 * 1024 * 1024;

/** The framework would answer HEAD by reading the content to its end. */
const noHead = { exposeHeadRoute: false };

/**
 * PUT, POST and GET /blobs/<id> by signed links, and GET /content/<sha256> for workers.
 *
 * 403: not a link of ours; 410: it has expired; 404: not stored; 400: the body is not what was announced.
 */
export function contentRoutes(options: ContentRoutesOptions): FastifyPluginAsync {
  const { store, links, uploads } = options;
  return async (app) => {
    // Bodies stay streams, whatever type the client gives them.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _body, done) => done(null));

    app.put<BlobRequest>("/blobs/:blobId", async (request, reply) => {
      const link = links.verify(request.params.blobId, request.query, ["put", "part"]);
      const body = bodyOf(request.raw);
      const md5 = link.action === "part" ? await uploads.putPart(link, body) : await uploads.putWhole(link, body);
      checkMd5(request, md5);
      return reply.header("etag", `"${md5}"`).send();
    });

    app.post<BlobRequest>("/blobs/:blobId", async (request, reply) => {
      const link = links.verify(request.params.blobId, request.query, ["complete"]);
      const listed = parsePartList(await textOf(bodyOf(request.raw), largestPartList));
      return reply.type("application/xml").send(completionReply(await uploads.complete(link, listed)));
    });

    app.get<BlobRequest>("/blobs/:blobId", noHead, async (request, reply) => {
      const link = links.verify(request.params.blobId, request.query, ["get"]);
      return sendContent(store, link.sha256, request, reply);
    });

    app.get<{ Params: { sha256: string } }>("/content/:sha256", noHead, async (request, reply) => {
      if (!options.isWorker(request.raw.socket))
        throw fail("permissionDenied", "Only workers read content by its digest.");
      return sendContent(store, sha256Of(request.params.sha256), request, reply);
    });
  };
}

interface BlobRequest {
  Params: { blobId: string };
  Querystring: Record<string, unknown>;
}

async function textOf(body: AsyncIterable<Uint8Array>, mostBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > mostBytes) throw fail("invalidArgument", `The body is longer than ${mostBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The clients look for this very sentence, and tell the user that the file changed while it was read. */
function checkMd5(request: FastifyRequest, md5: string): void {
  const announced = request.headers["content-md5"];
  if (typeof announced !== "string" || Buffer.from(announced, "base64").toString("hex") === md5) return;
  throw fail("invalidArgument", "The Content-MD5 you specified did not match what we received.");
}

/** Pieces of volumes over HTTP, by signed links. */
import type { FastifyPluginAsync, FastifyRequest } from "fastify";

import type { ContentStore } from "../content/content-store.ts";
import { bodyOf } from "../content/request-body.ts";
import { sendRange } from "../content/send-content.ts";
import { pieceBytes } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import type { PieceLinks } from "./piece-links.ts";

export interface VolumeRoutesOptions {
  store: ContentStore;
  links: PieceLinks;
}

/** What an upload is answered; the clients give it back, and what is stored is looked up all the same. */
const stored = "stored";

/** GET and PUT /volume-pieces. 403: not a link of ours; 410: it has expired; 404: not stored; 400: the body is not what was announced. */
export function volumeRoutes({ store, links }: VolumeRoutesOptions): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _body, done) => done(null));

    app.put<PieceRequest>("/volume-pieces", async (request) => {
      const expectedSha256 = links.openPut(request.query);
      await store.put(bodyOf(request.raw), { expectedSha256, mostBytes: pieceBytes });
      return stored;
    });

    app.get<PieceRequest>("/volume-pieces", { exposeHeadRoute: false }, async (request, reply) => {
      const { sha256, offset, length, zeros } = links.openGet(request.query);
      void reply
        .header("content-length", length + zeros)
        .header("cache-control", "private, no-store")
        .type("application/octet-stream");
      if (length === 0) return await reply.send(Buffer.alloc(zeros));
      const content = await store.open(sha256);
      if (content === undefined) throw fail("notFound", `Content ${sha256} is not stored.`);
      return await sendRange(content, { start: offset, end: offset + length - 1 }, reply, zeros);
    });
  };
}

type PieceRequest = Pick<FastifyRequest, "raw"> & { Querystring: Record<string, unknown> };

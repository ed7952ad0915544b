/**
 * What those ask who watch over a platform: GET /metrics with a token, /healthz and /readyz without one, for they say nothing
 * but whether. None of them is there for what comes through a door.
 */
import { hash, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";

import type { FastifyPluginAsync, FastifyRequest } from "fastify";

import { fail } from "../errors.ts";
import { contentType, expose, type Family } from "./exposition.ts";

export interface MetricsDeps {
  families: () => Promise<Family[]>;
  /** What keeps it from doing its work now, for people; undefined when nothing does. */
  hindrance: () => Promise<string | undefined>;
  /** Opens /metrics and nothing else, as a bearer's token; absent: only the platform's own tokens do. */
  metricsToken: string | undefined;
  authenticate: (id: string, secret: string) => Promise<boolean>;
  isAtDoor: (socket: Socket) => boolean;
}

export function metricsRoutes(deps: MetricsDeps): FastifyPluginAsync {
  return async (app) => {
    app.addHook("onRequest", async (request, reply) => {
      void reply.header("cache-control", "no-store");
      if (deps.isAtDoor(request.raw.socket)) throw fail("notFound", `There is nothing at ${request.url}.`);
    });

    app.get("/metrics", async (request, reply) => {
      if (!(await mayRead(request, deps))) {
        void reply.header("www-authenticate", 'Basic realm="Lydian"');
        throw fail("unauthenticated", "The metrics are for the platform's operator.", {
          hint:
            "Ask with a token's id as the user and its secret as the password (`lydian token create`), or with the bearer's token " +
            "that the platform was given as LYDIAN_METRICS_TOKEN",
        });
      }
      return reply.type(contentType).send(expose(await deps.families()));
    });

    app.get("/healthz", async (_request, reply) => reply.type("text/plain").send("ok\n"));

    app.get("/readyz", async (_request, reply) => {
      const hindrance = await deps.hindrance();
      return reply
        .code(hindrance === undefined ? 200 : 503)
        .type("text/plain")
        .send(`${hindrance ?? "ready"}\n`);
    });
  };
}

async function mayRead(request: FastifyRequest, { authenticate, metricsToken }: MetricsDeps): Promise<boolean> {
  const [, scheme = "", given = ""] = /^(\w+) +(\S+)$/.exec(request.headers.authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return metricsToken !== undefined && isSame(given, metricsToken);
  if (scheme.toLowerCase() !== "basic") return false;
  const [, id = "", secret = ""] = /^([^:]*):(.*)$/s.exec(Buffer.from(given, "base64").toString()) ?? [];
  return await authenticate(id, secret);
}

/** Takes as long whatever is given. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(hash("sha256", given, "buffer"), hash("sha256", expected, "buffer"));
}

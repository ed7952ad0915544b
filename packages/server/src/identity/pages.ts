/** The pages that addresses of ours lead people to: where a client's request for a token is granted, and what stands for a dashboard. */
import type { Clock, NewId } from "@lydian/kit";
import type { FastifyPluginAsync, FastifyReply } from "fastify";

import { tokenRequestBell } from "../domain/bells.ts";
import type { Store } from "../domain/store.ts";
import { enterCode } from "./token-requests.ts";

export interface PagesDeps {
  store: Store;
  clock: Clock;
  newId: NewId;
}

/** No page runs a script, is shown inside another one, or is kept. */
const headers = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const words = {
  granted: "The token is granted. You can close this page: the command goes on by itself.",
  wrong: "That is not the code. After five wrong ones the request is void.",
  over: "This request for a token is over. Begin anew: modal token new",
} as const;

/** GET and POST /token-requests/ID, and pages that say what there is instead of a dashboard. */
export function pageRoutes({ store, clock, newId }: PagesDeps): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) =>
      done(null, Object.fromEntries(new URLSearchParams(String(body)))),
    );

    app.get<{ Params: { id: string } }>("/token-requests/:id", async (_request, reply) => page(reply, 200, form("")));

    app.post<{ Params: { id: string }; Body: Record<string, string> }>(
      "/token-requests/:id",
      async (request, reply) => {
        const { code = "", name = "" } = request.body;
        const { id } = request.params;
        const given = { code, name: name.trim().slice(0, 100) || "made with modal token new" };
        const end = await store.write(async (tx) => {
          tx.ring(tokenRequestBell(id));
          return await enterCode(tx, id, given, { now: clock.now(), newId });
        });
        const status = { granted: 200, wrong: 403, over: 410 }[end];
        return page(reply, status, end === "wrong" ? form(words.wrong) : `<p>${words[end]}</p>`);
      },
    );

    for (const path of ["/", "/apps/:id"]) {
      app.get(path, async (_request, reply) => page(reply, 200, instead));
    }
  };
}

function form(notice: string): string {
  return `<h1>A client asks for a token</h1>
<p>Whoever started this platform sees a code for this request: in the terminal of <code>lydian up</code>, or with
<code>lydian token approve</code>. Enter it only if you ran <code>modal token new</code> or <code>modal setup</code> yourself.</p>
${notice === "" ? "" : `<p role="alert"><strong>${notice}</strong></p>`}
<form method="post">
<label>Code <input name="code" required autocomplete="off" autofocus maxlength="20"></label>
<label>A name for the token <input name="name" maxlength="100" placeholder="my laptop"></label>
<button>Grant the token</button>
</form>`;
}

const instead = `<h1>Lydian</h1>
<p>This platform runs. What would stand here is told by the commands: <code>modal app list</code>, <code>modal app info APP</code>,
<code>modal app logs APP</code>, <code>modal container list</code>, <code>lydian call list</code>, <code>lydian schedule list</code>.</p>`;

function page(reply: FastifyReply, status: number, body: string): FastifyReply {
  void reply.code(status).headers(headers).type("text/html; charset=utf-8");
  return reply.send(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Lydian</title>
<style>body{font:16px/1.5 system-ui;max-width:36rem;margin:4rem auto;padding:0 1rem}label{display:block;margin:.8rem 0}input{font:inherit;padding:.3rem;display:block}button{font:inherit;padding:.4rem 1rem}</style>
${body}
</html>
`);
}

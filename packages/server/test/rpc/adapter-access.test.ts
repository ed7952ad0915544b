/** The types of handlers: what they infer, and what they refuse. Checked by the compiler; run, it only binds. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { ModalClient, worker as wire } from "@lydian/contract";

import { anyone, bind, container, type Rpcs, user, userOrContainer, worker } from "../../src/rpc/adapter.ts";

const family: Rpcs<typeof ModalClient> = {
  appCreate: user(async (request, call) => ({ appId: request.description + call.caller.tokenId })),
  appGetLogs: userOrContainer(async function* (request, call) {
    yield { entryId: request.appId + call.caller.kind };
  }),
  containerHello: container(async (_request, call) => {
    void call.caller.id;
    return {};
  }),
  clientHello: anyone(async () => ({ warning: "x" })),
};

const sessions: Rpcs<typeof wire.Workers> = {
  session: worker(async function* (requests, call) {
    for await (const request of requests) {
      if (request.message.case === "join") yield { message: { case: "welcome", value: { leaseSeconds: 10n } } };
      void call.caller.id;
    }
  }),
};

export const refusedByTheCompiler: Rpcs<typeof ModalClient> = {
  // @ts-expect-error an id is a string
  appCreate: user(async () => ({ appId: 5 })),
  // @ts-expect-error a stream is answered by an async iterable
  appGetLogs: user(async () => ({})),
  // @ts-expect-error "anyone" may have no token
  appList: anyone(async (_request, call) => ({ apps: [call.caller.tokenId] })),
};

test("families are bound to their service, each RPC once", () => {
  assert.deepEqual(
    bind(ModalClient, family).map(({ method }) => method.name),
    ["AppCreate", "AppGetLogs", "ContainerHello", "ClientHello"],
  );
  assert.equal(bind(wire.Workers, sessions)[0]?.service, "lydian.worker.Workers");
  assert.throws(() => bind(ModalClient, family, { appCreate: user(async () => ({})) }), /two handlers for appCreate/);
  assert.throws(() => bind(ModalClient, { nope: family.appCreate } as never), /has no RPC nope/);
});

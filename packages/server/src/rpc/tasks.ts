/** Containers as the clients list them: which run, and what has become of one. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { GenericResult_GenericStatus as Status, type ModalClient, type TaskInfoSchema } from "@lydian/contract";

import { drain, exitGraceMs } from "../containers/begin.ts";
import type { Container } from "../domain/container.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { type Rpcs, user, userOrAnyContainer } from "./adapter-access.ts";
import { type Platform, toSeconds } from "./platform.ts";

export function taskRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, clock } = platform;
  const { times } = platform.config;
  return {
    taskList: user(({ environmentName, appId }) =>
      store.read(async (tx) => {
        const environment = await findEnvironment(tx, environmentName);
        const tasks = [];
        for (const { id, appId: own, readyAt, createdAt } of await tx.containers.alive()) {
          if (appId !== "" && own !== appId) continue;
          const app = await tx.apps.get(own);
          if (app === undefined || (appId === "" && app.environmentId !== environment.id)) continue;
          const times = { startedAt: toSeconds(readyAt), enqueuedAt: toSeconds(createdAt) };
          tasks.push({ taskId: id, appId: own, appDescription: app.name, ...times });
        }
        return { tasks };
      }),
    ),
    taskGetInfo: user(({ taskId }) =>
      store.read(async (tx) => {
        const container = await knownContainer(tx, taskId);
        return { appId: container.appId, info: infoOf(container) };
      }),
    ),
    /**
     * What it runs is begun again elsewhere, or with `graceful` goes on until it is done. Requests of the web, which nobody can begin
     * again, have a while to end in any case.
     */
    containerStop: userOrAnyContainer(async ({ taskId, graceful }, { caller }) => {
      if (caller.kind === "container" && caller.id !== taskId) {
        throw fail("permissionDenied", "A container can stop only itself.");
      }
      await store.write(async (tx) => {
        const { functionId } = await knownContainer(tx, taskId);
        const timeoutMs = (await tx.functions.terms(functionId))?.policy.timeoutMs ?? 0;
        const isBroken = caller.kind === "user" && !graceful && (await holdsRepeatable(tx, taskId));
        const graceMs = isBroken ? 0 : graceful ? timeoutMs + exitGraceMs : times.drainGrace;
        await drain(tx, taskId, clock.now() + graceMs);
      });
      return {};
    }),
  };
}

async function holdsRepeatable(tx: Tx, containerId: string): Promise<boolean> {
  for (const { callId } of await tx.inputs.heldBy(containerId)) {
    if ((await tx.calls.get(callId))?.shape !== "web") return true;
  }
  return false;
}

async function knownContainer(tx: Tx, id: string): Promise<Container> {
  const container = await tx.containers.get(id);
  if (container === undefined) throw fail("notFound", `Container ${id} does not exist.`);
  return container;
}

function infoOf(container: Container): MessageInitShape<typeof TaskInfoSchema> {
  const { id, createdAt, readyAt, goneAt, goneReason, gpus } = container;
  return {
    id,
    enqueuedAt: toSeconds(createdAt),
    startedAt: toSeconds(readyAt),
    finishedAt: toSeconds(goneAt),
    ...(gpus && { gpuType: gpus.kind, gpuConfig: { gpuType: gpus.kind, count: gpus.count } }),
    ...(goneAt !== undefined && { result: { status: Status.SUCCESS, exception: goneReason ?? "" } }),
  };
}

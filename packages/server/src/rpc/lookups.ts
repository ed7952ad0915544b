/** Functions and classes of deployed apps, found by their names, and what stands for objects that are not there. */
import { createHash } from "node:crypto";

import type { ModalClient } from "@lydian/contract";

import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { functionData, functionHandle } from "../functions/handle.ts";
import { addressed } from "../web/endpoints.ts";
import { findClass, findFunction } from "../functions/lookup.ts";
import { type Rpcs, user, userOrContainer } from "./adapter-access.ts";
import { isClassName } from "./adapter-status.ts";
import { type Platform, contextOf } from "./platform.ts";

export function lookupRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, config } = platform;
  /** What was in a version that is not in effect is made a function of its own when somebody asks for it. */
  const look = <T>(version: number, unit: (tx: Tx) => Promise<T>): Promise<T> =>
    version === 0 ? store.read(unit) : store.write(unit);
  return {
    functionGet: userOrContainer(
      ({ appName: app, objectTag: tag, environmentName: environment, appVersion: version }) =>
        look(version, async (tx) => {
          const whenClass = (message: string): Error => fail("notFound", message, { details: [isClassName()] });
          const record = await findFunction(tx, { app, tag, environment, version }, whenClass, contextOf(platform));
          const definition = addressed(decodeDefinition(record), config);
          const handleMetadata = functionHandle(record, definition);
          return { functionId: record.id, handleMetadata, function: functionData(definition) };
        }),
    ),
    functionGetById: userOrContainer(({ functionId }) =>
      store.read(async (tx) => {
        const record = await tx.functions.get(functionId);
        if (record === undefined || record.definition.length === 0) {
          throw fail("notFound", `Function ${functionId} does not exist.`);
        }
        const definition = addressed(decodeDefinition(record), config);
        return { function: functionData(definition), handleMetadata: functionHandle(record, definition) };
      }),
    ),
    /** There are no proxies, but their names are found: a function that asks for one is accepted with a warning. */
    proxyGet: user(async ({ name, environmentName }) => {
      const proxyId = `pr-${createHash("sha256").update(`${environmentName}\0${name}`).digest("hex").slice(0, 22)}`;
      return { proxy: { name, environmentName, proxyId } };
    }),
    classGet: userOrContainer(({ appName: app, objectTag: tag, environmentName: environment, appVersion: version }) =>
      look(version, async (tx) => {
        const name = { app, tag, environment, version };
        const { id: classId, record } = await findClass(tx, name, contextOf(platform));
        const classFunctionMetadata = functionHandle(record, addressed(decodeDefinition(record), config));
        return { classId, handleMetadata: { classFunctionId: record.id, classFunctionMetadata } };
      }),
    ),
  };
}

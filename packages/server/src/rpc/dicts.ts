/** Dicts: find or make, write, read, take, walk through, delete, list. */
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  DictGetOrCreateResponseSchema,
  DictPopResponseSchema,
  DictUpdateResponseSchema,
  type ModalClient,
} from "@lydian/contract";

import {
  allEntries,
  checkEntries,
  mostCounted,
  popEntry,
  readEntry,
  type Reading,
  setEntries,
} from "../dicts/entries.ts";
import type { NamedObject } from "../domain/named-object.ts";
import { clearObject, deleteObject, getObject, getOrCreateObject, knownObject } from "../objects/manage.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import { metadataOf, type ObjectMetadata, objectRequest, pageOf } from "./objects.ts";
import { type Platform, once, toSeconds } from "./platform.ts";

export function dictRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  return { ...objectRpcs(platform), ...entryRpcs(platform) };
}

function objectRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, config, heartbeats } = platform;
  const keptMs = config.times.dictEntryKept;
  return {
    dictGetOrCreate: userOrContainer(async (request, call) => {
      const wanted = objectRequest(platform, "dict", request);
      if (wanted.creation === "lookUp") return answer(await store.read((tx) => getObject(tx, wanted)));
      checkEntries(request.data, config.limits);
      const made = await once(platform, call, DictGetOrCreateResponseSchema, async (tx, context) => {
        const { object, isNew } = await getOrCreateObject(tx, wanted, context);
        if (isNew) await setEntries(tx, object, request.data, { ifMissing: false, keptMs }, context);
        return answer(object);
      });
      if (wanted.creation === "ephemeral") heartbeats.heard(made.dictId ?? "");
      return made;
    }),
    dictGetById: userOrContainer(async ({ dictId }) =>
      answer(await store.read((tx) => knownObject(tx, "dict", dictId))),
    ),
    dictHeartbeat: userOrContainer(async ({ dictId }) => {
      const { name } = await store.read((tx) => knownObject(tx, "dict", dictId));
      if (name === "") heartbeats.heard(dictId);
      return {};
    }),
    dictDelete: userOrContainer(({ dictId }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        await deleteObject(tx, "dict", dictId);
        return {};
      }),
    ),
    dictList: userOrContainer(({ environmentName, pagination }) =>
      store.read(async (tx) => {
        const { environment, objects } = await pageOf(tx, "dict", { environmentName, pagination });
        const dicts = objects.map((object) => ({
          name: object.name,
          createdAt: toSeconds(object.createdAt),
          ...answer(object),
        }));
        return { dicts, environmentName: environment.name };
      }),
    ),
  };
}

function entryRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, config, clock, log } = platform;
  const keptMs = config.times.dictEntryKept;
  const reading = (): Reading => ({ store, log, now: clock.now(), keptMs });
  return {
    dictUpdate: userOrContainer(({ dictId, updates, ifNotExists: ifMissing }, call) => {
      checkEntries(updates, config.limits);
      return once(platform, call, DictUpdateResponseSchema, async (tx, context) => {
        const dict = await knownObject(tx, "dict", dictId);
        return { created: await setEntries(tx, dict, updates, { ifMissing, keptMs }, context) };
      });
    }),
    dictGet: userOrContainer(async ({ dictId, key }) => {
      const now = clock.now();
      const entry = await readEntry(reading(), { dictId, key }, (dicts, contents) => dicts.get(contents, key, now));
      return entry === undefined ? { found: false } : { found: true, value: entry.value };
    }),
    dictContains: userOrContainer(async ({ dictId, key }) => {
      const now = clock.now();
      const entry = await readEntry(reading(), { dictId, key }, (dicts, contents) => dicts.has(contents, key, now));
      return { found: entry !== undefined };
    }),
    dictPop: userOrContainer(({ dictId, key }, call) =>
      once(platform, call, DictPopResponseSchema, async (tx, { now }) => {
        const value = await popEntry(tx, dictId, key, now);
        return value === undefined ? { found: false } : { found: true, value };
      }),
    ),
    dictLen: userOrContainer(({ dictId }) =>
      store.read(async (tx) => {
        const { contents } = await knownObject(tx, "dict", dictId);
        return { len: await tx.dicts.count(contents, clock.now(), mostCounted) };
      }),
    ),
    dictClear: userOrContainer(({ dictId }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        await clearObject(tx, "dict", dictId);
        return {};
      }),
    ),
    // Clients also read the key beside a value, to name it in errors.
    dictContents: userOrContainer(({ dictId, values }) => allEntries(reading(), dictId, values)),
  };
}

function answer(object: NamedObject): { dictId: string; metadata: ObjectMetadata } {
  return { dictId: object.id, metadata: metadataOf(object) };
}

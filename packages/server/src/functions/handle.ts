/** What the clients need to know of a function or class to call it, made from its definition. */
import { type MessageInitShape, create } from "@bufbuild/protobuf";
import {
  type AppLayout,
  AppLayoutSchema,
  type Function,
  FunctionDataSchema,
  FunctionHandleMetadataSchema,
  FunctionSchema$,
} from "@lydian/contract";
import { isId } from "@lydian/kit";

import type { App } from "../domain/app.ts";
import type { FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { addressed, type EndpointSettings } from "../web/endpoints.ts";
import { decodeDefinition } from "./definition.ts";
import { volumeHandle } from "../volumes/handle.ts";

type LayoutObject = NonNullable<MessageInitShape<typeof AppLayoutSchema>["objects"]>[number];
type HandleMetadata = MessageInitShape<typeof FunctionHandleMetadataSchema>;

export function functionHandle(record: FunctionRecord, definition: Function): HandleMetadata {
  const methods = Object.entries(definition.methodDefinitions).map(([name, method]) => [
    name,
    {
      functionName: method.functionName,
      functionType: method.functionType,
      functionSchema: method.functionSchema,
      supportedInputFormats: method.supportedInputFormats,
      supportedOutputFormats: method.supportedOutputFormats,
      webUrl: method.webUrl,
      isMethod: true,
      useMethodName: name, // without it the container is given inputs that name no method, and crashes
      definitionId: record.definitionId,
      appId: record.appId,
    } satisfies HandleMetadata,
  ]);
  return {
    functionName: definition.functionName,
    functionType: definition.functionType,
    functionSchema: definition.functionSchema,
    classParameterInfo: definition.classParameterInfo,
    supportedInputFormats: definition.supportedInputFormats,
    supportedOutputFormats: definition.supportedOutputFormats,
    webUrl: definition.webUrl,
    ExperimentalFlashUrls: definition.flashServiceUrls,
    isMethod: definition.isMethod,
    methodHandleMetadata: Object.fromEntries(methods),
    definitionId: record.definitionId,
    appId: record.appId,
  };
}

const sharedFields = FunctionDataSchema.fields
  .map(({ localName }) => localName)
  .filter((name) => FunctionSchema$.fields.some(({ localName }) => localName === name));

/** Since 1.6 the clients read the definition back in this form, and refuse it without a ranked function. */
export function functionData(definition: Function): MessageInitShape<typeof FunctionDataSchema> {
  const shared = sharedFields.map((name) => [name, definition[name as keyof Function]]);
  return { ...Object.fromEntries(shared), rankedFunctions: [{ rank: 0, function: definition }] };
}

/** All that code in a container may refer to, with what is needed to call it. */
export async function appLayout(tx: Tx, app: App, settings: EndpointSettings): Promise<AppLayout> {
  const objects = new Map<string, LayoutObject>();
  for (const record of await tx.functions.ofApp(app.id)) {
    const definition = decodeDefinition(record);
    const value = functionHandle(record, addressed(definition, settings));
    objects.set(record.id, { objectId: record.id, handleMetadataOneof: { case: "functionHandleMetadata", value } });
    for (const { objectId } of definition.objectDependencies) {
      if (!objects.has(objectId)) objects.set(objectId, await dependency(tx, objectId));
    }
  }
  for (const { id } of await tx.classes.ofApp(app.id)) {
    // The clients learn a class's methods from its function; an empty handle says that it is a class.
    objects.set(id, { objectId: id, handleMetadataOneof: { case: "classHandleMetadata", value: {} } });
  }
  const { functionIds, classIds } = app.layout;
  return create(AppLayoutSchema, {
    functionIds: { ...functionIds },
    classIds: { ...classIds },
    objects: [...objects.values()],
  });
}

/** The container looks every dependency up; of an image, for one, it needs no more than to find it. */
async function dependency(tx: Tx, objectId: string): Promise<LayoutObject> {
  const volume = isId("vo", objectId) ? await tx.volumes.get(objectId) : undefined;
  if (volume === undefined) return { objectId };
  return { objectId, handleMetadataOneof: { case: "volumeMetadata", value: volumeHandle(volume) } };
}

/** Functions in TypeScript: define them, run them in containers, call them from any language. */
export { App, type Entrypoint } from "./app.ts";
export { currentFunctionCallId, currentInputId, currentSignal, isLocal } from "./calls/context.ts";
export type { MapOptions } from "./calls/map.ts";
export { Client, type ClientOptions } from "./client/client.ts";
export type { Duration, Size } from "./duration.ts";
export * from "./errors.ts";
export type { Fields, FieldValues } from "./fields.ts";
export type { Handler, MapStream, Unbatched } from "./func.ts";
export { FunctionCall, type GetOptions } from "./function-call.ts";
export { Func, Func as Function } from "./lookup.ts";
export { Image, type StepOptions } from "./objects/image.ts";
export type { NameOptions } from "./objects/place.ts";
export { Secret } from "./objects/secret.ts";
export { Volume, type VolumeEntry, type VolumeOptions } from "./objects/volume.ts";
export type { AppDefaults, Batching, Concurrency, FunctionOptions, Gpu, ResourceOptions, Retries } from "./options.ts";
export type { DeployOptions, Deployment, RunOptions } from "./publish/index.ts";
export { kwargs, type Kwargs } from "./values/arguments.ts";
export { Tagged } from "./values/cbor-decode.ts";

/** Functions in TypeScript: define them, run them in containers, call them from any language. */
export { App, type Entrypoint, type ServerFunctionOptions, type WebFunction } from "./app.ts";
export { currentFunctionCallId, currentInputId, currentSignal, isLocal } from "./calls/context.ts";
export type { MapOptions } from "./calls/map.ts";
export { enter, enterSnapshot, exit, type FieldInput, params } from "./class-definition.ts";
export { Cls, type DefinedClass, type RemoteClass, type RemoteInstance } from "./cls.ts";
export { Client, type ClientOptions } from "./client/client.ts";
export type { Duration, Size } from "./duration.ts";
export * from "./errors.ts";
export type { Fields, FieldValues } from "./fields.ts";
export {
  type AutoscalerChange,
  Func,
  Func as Function,
  type FunctionStats,
  type Handler,
  type MapStream,
  type Unbatched,
} from "./func.ts";
export { FunctionCall, type GetOptions } from "./function-call.ts";
export { client, type ClientOf } from "./module-client.ts";
export { CloudBucketMount, type CloudBucketOptions } from "./objects/cloud-bucket.ts";
export { Dict } from "./objects/dict.ts";
export { Image, type StepOptions } from "./objects/image.ts";
export type { NamedOptions } from "./objects/named.ts";
export type { VolumeBatch, VolumeFile } from "./objects/volume-files.ts";
export type { NameOptions } from "./objects/place.ts";
export { Proxy } from "./objects/proxy.ts";
export { type PartitionOptions, Queue, type TakeOptions } from "./objects/queue.ts";
export { Sandbox, type SandboxOptions, type SandboxOutput, type SandboxProcess } from "./objects/sandbox.ts";
export { Cron, Period, type PeriodParts } from "./objects/schedule.ts";
export { Secret } from "./objects/secret.ts";
export { Volume, type VolumeEntry, type VolumeOptions } from "./objects/volume.ts";
export type {
  AppDefaults,
  Batching,
  Concurrency,
  FunctionOptions,
  Gpu,
  MethodOptions,
  ResourceOptions,
  Retries,
  WebOptions,
} from "./options.ts";
export type { DeployOptions, Deployment, RunOptions } from "./publish/index.ts";
export type { StandardSchema } from "./standard-schema.ts";
export { kwargs, type Kwargs } from "./values/arguments.ts";
export { type Address, forward, type Tunnel } from "./web/forward.ts";
export type { FetchApplication, FetchHandler, WebTarget } from "./web/handler.ts";
export { Tagged } from "./values/cbor-decode.ts";

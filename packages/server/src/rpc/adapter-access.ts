/** How RPCs are written: typed by the service's descriptor, with who may call each declared beside its handler. */
import type { DescMessage, DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";

import type { Caller, Call } from "./adapter-call.ts";

/** The function that answers a method of this descriptor; C is who can have called it. */
export type HandlerOf<M, C extends Caller> = M extends {
  methodKind: infer K;
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? K extends "unary"
    ? (request: MessageShape<I>, call: Call<C>) => Promise<MessageInitShape<O>>
    : K extends "server_streaming"
      ? (request: MessageShape<I>, call: Call<C>) => AsyncIterable<MessageInitShape<O>>
      : K extends "bidi_streaming"
        ? (requests: AsyncIterable<MessageShape<I>>, call: Call<C>) => AsyncIterable<MessageInitShape<O>>
        : (requests: AsyncIterable<MessageShape<I>>, call: Call<C>) => Promise<MessageInitShape<O>>
  : never;

/** Who may call: `anyone` means that no identity is needed. */
export type Access =
  | ("anyone" | "outsider" | "user" | "task" | "worker")
  | ("container" | "userOrContainer" | "userOrAnyContainer");

export type UserCaller = Extract<Caller, { kind: "user" }>;
export type ContainerCaller = Extract<Caller, { kind: "container" }>;
export type TaskCaller = Extract<Caller, { kind: "task" }>;
export type WorkerCaller = Extract<Caller, { kind: "worker" }>;

/** A handler with its access; made by the functions below. */
export interface Rpc<M> {
  readonly access: Access;
  /** The caller's kind is checked against `access` before it is called. */
  readonly handle: HandlerOf<M, never>;
  /** Carries the method's type from the place where the handler is used to the place where it is written. */
  readonly method?: M;
}

type MethodsOf<S extends { method: Record<string, unknown> }> = S["method"];

/** Handlers for some RPCs of a service, by local name (`appCreate`). */
export type Rpcs<S extends { method: Record<string, unknown> }> = {
  readonly [K in keyof MethodsOf<S>]?: Rpc<MethodsOf<S>[K]>;
};

/** Needs no identity; a wrong token is refused all the same. */
export function anyone<M>(handle: HandlerOf<M, Caller>): Rpc<M> {
  return { access: "anyone", handle: handle };
}

/** The same, but for those at a door, who are somebody already and can become nobody else. */
export function outsider<M>(handle: HandlerOf<M, Caller>): Rpc<M> {
  return { access: "outsider", handle: handle };
}

/** Needs a valid token. */
export function user<M>(handle: HandlerOf<M, UserCaller>): Rpc<M> {
  return { access: "user", handle: handle };
}

/** Needs a token that opens one container. */
export function task<M>(handle: HandlerOf<M, TaskCaller>): Rpc<M> {
  return { access: "task", handle: handle };
}

/** Only through a container's door. */
export function container<M>(handle: HandlerOf<M, ContainerCaller>): Rpc<M> {
  return { access: "container", handle: handle };
}

export function userOrContainer<M>(handle: HandlerOf<M, UserCaller | ContainerCaller>): Rpc<M> {
  return { access: "userOrContainer", handle: handle };
}

/** Also for containers of functions that may not use the platform: what taking inputs and giving outputs needs. */
export function userOrAnyContainer<M>(handle: HandlerOf<M, UserCaller | ContainerCaller>): Rpc<M> {
  return { access: "userOrAnyContainer", handle: handle };
}

/** Only through a worker's door. */
export function worker<M>(handle: HandlerOf<M, WorkerCaller>): Rpc<M> {
  return { access: "worker", handle: handle };
}

/** A method of a service together with what answers it. */
export interface BoundRpc {
  readonly service: string;
  readonly method: DescMethod;
  readonly rpc: Rpc<DescMethod>;
}

/**
 * Binds families of handlers to their service. RPCs that no family has stay UNIMPLEMENTED.
 * Throws when two families answer the same RPC, or one answers an RPC that the service does not have.
 */
export function bind<S extends Omit<DescService, "method"> & { method: Record<string, unknown> }>(
  service: S,
  ...families: readonly Rpcs<S>[]
): BoundRpc[] {
  const bound = new Map<string, BoundRpc>();
  for (const family of families) {
    for (const [name, rpc] of Object.entries(family)) {
      const method = service.methods.find((candidate) => candidate.localName === name);
      if (method === undefined) throw new Error(`${service.typeName} has no RPC ${name}`);
      if (bound.has(name)) throw new Error(`${service.typeName}: two handlers for ${name}`);
      bound.set(name, { service: service.typeName, method, rpc: rpc as Rpc<DescMethod> });
    }
  }
  return [...bound.values()];
}

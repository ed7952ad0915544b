/** A function: what the clients define and call; a class counts as one whose inputs name a method. */
import type { AppState } from "./app.ts";
import type { Id } from "@lydian/kit";

import type { ImageState } from "./image.ts";
import type { Needs } from "./worker.ts";
import { noRetries, type RetryPolicy } from "./retry.ts";

/** What a definition says in its field `runtime` whose code is not run by the Python client but by Node. */
export const nodeRuntime = "node";

export interface FunctionRecord {
  id: Id<"fu">;
  appId: Id<"ap">;
  /** The tag within its app, such as `hello` or `Model.*`. */
  name: string;
  /** Changes with each definition. */
  definitionId: Id<"de">;
  /** The wire's Function exactly as the client wrote it: containers parse their own version. Empty until created. */
  definition: Uint8Array;
  /** The version of the client that defined it, which also runs inside its containers. */
  clientVersion: string;
  imageId: string;
  policy: FunctionPolicy;
  createdAt: number;
  /** What it was bound from, when it is a variant of another function: its own pool of containers. */
  binding: Binding | undefined;
}

/** What a function was defined as once. Those of deployed apps are kept beside the one in effect, which a deployment chooses. */
export interface Edition extends Pick<
  FunctionRecord,
  "appId" | "name" | "definitionId" | "definition" | "clientVersion" | "imageId" | "policy"
> {
  functionId: Id<"fu">;
  /** The same for definitions that mean the same: SHA-256 of all that a container depends on, hex. */
  digest: string;
  createdAt: number;
}

/** A class with arguments, or a function with other options than it was defined with. */
export interface Binding {
  baseId: Id<"fu">;
  /** The same request is the same variant: what it is looked up by. */
  key: string;
  /** The wire's serialized arguments of the class; opaque. */
  parameters: Uint8Array;
  /** The wire's FunctionOptions, serialized; empty for none. */
  options: Uint8Array;
}

/** What a call needs to know of its function; read without the definition, which may be large. */
export type CallTarget = Pick<FunctionRecord, "id" | "appId" | "name"> & {
  /** It has more than a name. */
  defined: boolean;
  /** Inputs without a container. */
  waiting: number;
  appState: AppState;
};

/** How a function's inputs and containers are to be treated; times in milliseconds. */
export interface FunctionPolicy {
  minContainers: number;
  maxContainers: number;
  /** Idle containers kept beside the busy ones, while there are any. */
  bufferContainers: number;
  /** Idle time after which a container is given back. */
  scaledownMs: number;
  /** Inputs that one container runs at a time at most. */
  maxConcurrency: number;
  /** Inputs per container that the number of containers is made for. */
  targetConcurrency: number;
  /** Inputs that are handed over together; 0 when they are not. */
  batchSize: number;
  /** Each container takes one input, or batch, in its life. */
  singleUse: boolean;
  retry: RetryPolicy;
  /** What a container needs of its worker, and is sure of. */
  needs: Needs;
  /** What a container may go up to; 0 is the worker's own limit. */
  milliCpuLimit: number;
  memoryLimitMib: number;
  diskLimitMib: number;
  network: NetworkPolicy;
  /** Its containers may take inputs and give outputs, and nothing else of the platform's. */
  restricted: boolean;
  /** Time from assignment until the container asks for inputs. */
  startupMs: number;
  /** Time that one attempt of an input may run. */
  timeoutMs: number;
}

/** What a container's own connections reach besides its door. */
export interface NetworkPolicy {
  /** Nothing but `allowedCidrs`. */
  restricted: boolean;
  allowedCidrs: readonly string[];
}

/** Of a function that has no definition yet, and what a policy of an earlier version did not say. */
export const emptyPolicy: FunctionPolicy = {
  minContainers: 0,
  maxContainers: 0,
  bufferContainers: 0,
  scaledownMs: 0,
  maxConcurrency: 1,
  targetConcurrency: 1,
  batchSize: 0,
  singleUse: false,
  retry: noRetries,
  needs: { milliCpu: 0, memoryMib: 0, gpus: [], regions: [], cloud: "" },
  milliCpuLimit: 0,
  memoryLimitMib: 0,
  diskLimitMib: 0,
  network: { restricted: false, allowedCidrs: [] },
  restricted: false,
  startupMs: 0,
  timeoutMs: 0,
};

/** What claims and outputs of a function go by. */
export interface Terms {
  policy: FunctionPolicy;
  /** Containers that crashed since an input was last finished. */
  crashStreak: number;
  /** No container is started before this time. */
  notBefore: number;
}

/** What the scheduler needs to know; the counts are kept beside the rows, so that no decision has to count a queue. */
export interface Demand extends Terms {
  functionId: Id<"fu">;
  definitionId: string;
  appId: Id<"ap">;
  environmentId: Id<"en">;
  imageId: string;
  /** Undefined while the function is not defined. */
  imageState: ImageState | undefined;
  queued: number;
  claimed: number;
  /** Inputs that wait for their next attempt's time. */
  delayed: number;
}

/** A name for the function that holds its methods; which one that is, the app's published layout says by tags. */
export interface ClassRecord {
  id: Id<"cs">;
  appId: Id<"ap">;
}

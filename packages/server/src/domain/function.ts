/** A function: what the clients define and call; a class counts as one whose inputs name a method. */
import type { Id } from "@lydian/kit";

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
  policy: ScalingPolicy;
  createdAt: number;
}

/** What a call needs to know of its function; read without the definition, which may be large. */
export type CallTarget = Pick<FunctionRecord, "id" | "appId" | "name"> & {
  /** It has more than a name. */
  defined: boolean;
};

/** How many containers a function gets, and of what size. */
export interface ScalingPolicy {
  minContainers: number;
  maxContainers: number;
  bufferContainers: number;
  /** Idle time after which a container is given back, in milliseconds. */
  scaledownMs: number;
  /** Inputs that one container runs at a time. */
  concurrency: number;
  milliCpu: number;
  memoryMib: number;
  /** Time from assignment to the container's first word, in milliseconds. */
  startupMs: number;
  /** Time that one input may run, in milliseconds. */
  timeoutMs: number;
}

/** What the scheduler needs to know; the counts are kept beside the rows, so that no decision has to count a queue. */
export interface Demand {
  functionId: Id<"fu">;
  appId: Id<"ap">;
  policy: ScalingPolicy;
  queued: number;
  claimed: number;
  /** Containers that crashed since an input was last finished. */
  crashStreak: number;
  /** No container is started before this time. */
  notBefore: number;
}

/** A name for the function that holds its methods; which one that is, the app's published layout says by tags. */
export interface ClassRecord {
  id: Id<"cs">;
  appId: Id<"ap">;
}

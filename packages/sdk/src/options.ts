/** How functions are run: what stands beside their code in `app.function(options, fn)`. */
import type { Duration, Size } from "./duration.ts";
import type { Image } from "./objects/image.ts";
import type { Cron, Period } from "./objects/schedule.ts";
import type { Secret } from "./objects/secret.ts";
import type { Proxy } from "./objects/proxy.ts";
import type { CloudBucketMount } from "./objects/cloud-bucket.ts";
import type { Volume } from "./objects/volume.ts";

/** A kind of accelerator, or such as "H100:8" for several. */
export type Gpu = string;

/** How often an input is tried again whose function threw. */
export interface Retries {
  /** Tries after the first one. */
  maxRetries: number;
  /** Each delay is the one before times this; 2 unless it is given. */
  backoffCoefficient?: number;
  /** Before the first repetition; 1 s unless it is given. */
  initialDelay?: Duration;
  /** 60 s unless it is given. */
  maxDelay?: Duration;
}

/** How many inputs a container runs at a time. */
export interface Concurrency {
  /** How many inputs a container runs at a time. */
  maxInputs: number;
  /** How many the autoscaler aims at; `maxInputs` unless it is given. */
  targetInputs?: number;
}

/** How inputs are gathered for a handler that takes lists. */
export interface Batching {
  /** The most inputs of one call of the handler. */
  maxBatchSize: number;
  /** How long the first one waits for others, in milliseconds. */
  waitMs: number;
}

/** Where a web function is found, and by whom. */
export interface WebOptions {
  /** Its address begins with this instead of the names of app and function. */
  label?: string;
  /** Domains that the platform's operator has set up for it. */
  customDomains?: string[];
  /** Only requests with a proxy token pass. */
  requiresProxyAuth?: boolean;
}

/** What a method of a class is besides its code. */
export interface MethodOptions {
  /** The method takes lists, and each call of it several inputs. */
  batched?: Batching;
  /** It answers web requests: `async api(request: Request) { return Response.json(…) }`. */
  webEndpoint?: WebOptions;
  /** It returns a generator without being written as one. */
  isGenerator?: boolean;
}

/** What a variant of a function can have instead (`withOptions`). */
export interface ResourceOptions {
  /** Cores: what a container is sure of (0.125 unless it is given), or that and the most. */
  cpu?: number | [request: number, limit: number];
  /** What a container is sure of (128 MiB unless it is given), or that and the most. */
  memory?: Size | [request: Size, limit: Size];
  /** Accelerators; of a list the first kind that there is. */
  gpu?: Gpu | Gpu[];
  /** How long one try of an input may take; 5 minutes unless it is given. */
  timeout?: Duration;
  /** Their variables; a later one wins. */
  secrets?: Secret[];
  /** By the absolute path that they are mounted at. */
  volumes?: Record<string, Volume | CloudBucketMount>;
  /** Kept running. */
  minContainers?: number;
  /** The most at a time; as many as there is room for unless it is given. */
  maxContainers?: number;
  /** Idle ones beside those that work. */
  bufferContainers?: number;
  /** How long a container idles before it ends; 1 minute unless it is given. */
  scaledownWindow?: Duration;
  /** A number of tries after the first one, or more about them. Generators have none. */
  retries?: number | Retries;
}

/** All that a function can ask for. */
export interface FunctionOptions extends ResourceOptions {
  /** What it is called elsewhere; the name that its module exports it under unless it is given. */
  name?: string;
  /** What its files begin as; the app's unless it is given, or else Debian. */
  image?: Image;
  /** Variables of its environment. */
  env?: Record<string, string>;
  /** Several inputs at a time in one container; one unless it is given, of web functions 100. */
  concurrent?: Concurrency;
  /** When it starts by itself, without arguments, once its app is deployed. */
  schedule?: Cron | Period;
  /** Where containers may run. Platforms with one place say that it changes nothing. */
  region?: string | string[];
  /** The same of providers. */
  cloud?: string;
  /** Where its web requests enter. */
  routingRegion?: string;
  /** Its containers are not taken away for others. */
  nonpreemptible?: boolean;
  /** A snapshot of a container's memory after `[enterSnapshot]`; platforms without snapshots warn, and run it at each start. */
  enableMemorySnapshot?: boolean;
  /** Containers that work together. */
  clustered?: { size: number };
  /** From a container's start until it takes inputs; 5 minutes unless it is given. */
  startupTimeout?: Duration;
  /** Nothing outside of the platform is reached. */
  blockNetwork?: boolean;
  /** Whose address its own connections have. */
  proxy?: Proxy;
  /** Each container runs one input. */
  singleUseContainers?: boolean;
  /** Of the container's own files. */
  ephemeralDisk?: Size;
  /** For a function that returns a generator without being written as one. */
  isGenerator?: boolean;
}

/** What all functions of an app have unless their own options say otherwise. */
export interface AppDefaults {
  /** What containers begin as; Debian unless it is given. */
  image?: Image;
  /** Before the function's own. */
  secrets?: Secret[];
  /** Beside the function's own. */
  volumes?: Record<string, Volume | CloudBucketMount>;
  /** Beside the function's own. */
  env?: Record<string, string>;
  /** Words that the app is found by, such as { team: "search" }. */
  tags?: Record<string, string>;
  /** The environment of the step that installs packages, such as the token of a private registry. */
  npmSecret?: Secret;
  /** Globs, from the workspace's root, of files that ship beside the code that is imported. */
  includeFiles?: string[];
}

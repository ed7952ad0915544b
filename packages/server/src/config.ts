/** What the server is told by its supervisor, and the settings with their defaults. */
import { z } from "zod";

const milliseconds = z.number().int().positive();

/** Times after which something is given up or taken for lost; all in milliseconds. */
export const timesSchema = z.object({
  /** A worker that is silent for longer is lost. */
  workerLease: milliseconds.default(10_000),
  /** How long a container's heartbeat is held before it is answered; the client allows 15.1 s. */
  containerHeartbeatHold: milliseconds.default(14_800),
  /** An app whose client sends no heartbeat for longer ends; the clients send one every 15 s. */
  appExpiry: milliseconds.default(60_000),
  /** How long a worker may take to make a container's image and packages ready; the function's own time to start begins then. */
  preparation: milliseconds.default(1_800_000),
  /** How long one build of an image may take. */
  build: milliseconds.default(3_600_000),
  /** The longest that a claim, an output wait or a log stream is held. */
  claimHold: milliseconds.default(50_000),
  /** How long a container may take to stop an input that was cancelled or ran too long; then it is killed. */
  stopGrace: milliseconds.default(3_000),
  /** What a container gets between being told to end and being killed. */
  drainGrace: milliseconds.default(30_000),
  /** How long the reply to a mutating request is kept for a repetition of it. */
  replyKept: milliseconds.default(600_000),
  /** How long a web request waits for the beginning of its answer before its caller is sent to ask for it again. */
  webAnswer: milliseconds.default(150_000),
  /** How long a caller that was sent to ask again may take for that. */
  webReturn: milliseconds.default(60_000),
  /** How long a caller of a web function may be silent in the middle of a request's body, or take nothing of its answer. */
  webBodySilence: milliseconds.default(60_000),
  /** How long a worker may take to commit or reload a volume. */
  volumeAct: milliseconds.default(3_600_000),
  /**
   * How long content is kept that nothing needs: what was uploaded and is not referred to yet, and what a link was given for
   * just before its last use ended.
   */
  contentKept: milliseconds.default(86_400_000),
  /** How long a state of a volume can still be read, and restored, after another one has taken its place. */
  volumeHistory: milliseconds.default(86_400_000),
  /** How long the results of a call are kept that nobody has acknowledged. */
  resultKept: milliseconds.default(7 * 86_400_000),
  /** How long lines of logs are kept. */
  logKept: milliseconds.default(30 * 86_400_000),
  /** How long an image is kept that no function of a living app and no name needs, since it was asked for last. */
  imageKept: milliseconds.default(14 * 86_400_000),
  /** How long an entry of a dict is kept at least that nobody writes or reads. */
  dictEntryKept: milliseconds.default(7 * 86_400_000),
  /** How long a partition of a queue is kept after the last put that does not say it. */
  queuePartitionKept: milliseconds.default(86_400_000),
  /** The most that a put may say. */
  queuePartitionLongest: milliseconds.default(7 * 86_400_000),
  /** A dict or queue without a name whose client sends no heartbeat for longer goes; the clients send one every 300 s. */
  ephemeralExpiry: milliseconds.default(660_000),
});

const count = z.number().int().positive();
const bytes = count;
const mebibyte = 1024 * 1024;

/** How much may be under way, or be kept, at a time. */
export const limitsSchema = z.object({
  /** Inputs of a function that wait for a container while their callers wait for them. */
  queuedSync: count.default(2_000),
  /** Inputs of a function that wait for a container, spawned or of a map. */
  queuedAsync: count.default(1_000_000),
  /** Inputs of one map that its client has sent and has no output for. */
  mapOutstanding: count.default(1_000),
  /** Containers of one app; absent: as many as there is room for. */
  appContainers: count.optional(),
  /** Files and folders of a volume of version 1. */
  volumeEntries: count.default(500_000),
  /** Entries of one folder of a volume of version 2. */
  volumeFolder: count.default(32_768),
  /** Bytes of one file of a volume. */
  volumeFile: count.default(1024 ** 4 - 1),
  /** Bytes of a volume's newest state; absent: as many as there is room for. */
  volumeBytes: count.optional(),
  /** Containers of all apps of one environment; absent: as many as there is room for. */
  environmentContainers: count.optional(),
  /** Of single environments, by their names: instead of what is said for all of them. */
  environments: z.record(z.string(), z.strictObject({ containers: count })).optional(),
  /** MiB that images may take of a worker's disk before those go that nothing needs; absent: as much as there is room for. */
  imagesMib: count.optional(),
  /** MiB that the log of one app may take before its oldest lines go. */
  appLogMib: count.default(1_024),
  /** MiB that all logs together may take before the oldest lines of any go. */
  logsMib: count.default(10_240),
  /** A key of a dict together with its value. */
  dictEntryBytes: bytes.default(100 * mebibyte),
  /** Entries of a dict that one request may set. */
  dictUpdateEntries: count.default(10_000),
  /** The body of one web request. */
  webBodyBytes: bytes.default(4 * 1024 * mebibyte),
  /** Sets of arguments that web requests may make of one class; each is a function with containers of its own. */
  webVariants: count.default(1_000),
  /** One message of a web socket. */
  webMessageBytes: bytes.default(2 * mebibyte),
  queueItemBytes: bytes.default(mebibyte),
  /** All items that one request may put. */
  queuePutBytes: bytes.default(10 * mebibyte),
  queuePartitionItems: count.default(5_000),
  queuePartitionBytes: bytes.default(64 * mebibyte),
  /** Partitions of one queue. */
  queuePartitions: count.default(100_000),
});

/** A bucket of an S3-compatible store. */
export const bucketSchema = z.object({
  bucket: z.string(),
  /** What the names of objects begin with; one platform's alone. */
  prefix: z.string().default(""),
  /** Absent: Amazon's own. */
  endpoint: z.url().optional(),
  region: z.string().default("us-east-1"),
});

/** A key of an S3-compatible store. */
export const bucketKeySchema = z.object({ accessKeyId: z.string(), secretAccessKey: z.string() });

export const serverConfigSchema = z.object({
  /** The server's own folder (store, content, logs), mode 0700. */
  data: z.string(),
  /** The address that clients and users see, without a slash at the end. */
  publicUrl: z.url(),
  /** The descriptor of the listening socket. */
  listenFd: z.number().int().default(3),
  /** The user to become after start; absent when the supervisor is not root. */
  runAs: z.object({ uid: z.number().int().positive(), gid: z.number().int().positive() }).optional(),
  tls: z.object({ certificateFile: z.string(), keyFile: z.string() }).optional(),
  /** Where web functions are reached; absent: at labels below `localhost`, with the public address's scheme and port. */
  web: z
    .object({
      /** The address below which they are, such as https://apps.example.com. */
      url: z.url().optional(),
      /** Host names that functions may have as their own, in lower case; `*.` in front stands for one label. */
      customDomains: z.array(z.string()).default([]),
    })
    .prefault({}),
  workspace: z.string(),
  /** The owner's token; its secret is known to the server as a SHA-256 only (hex). */
  ownerToken: z.object({ id: z.string(), secretSha256: z.string().length(64) }),
  /** What the worker of this machine writes first on its connection; made anew by each supervisor. */
  workerSecret: z.string().min(32),
  /** Keys for secrets that the operator has given, and where, for messages; without them the server makes its own. */
  secretsKey: z.object({ text: z.string(), from: z.string() }).optional(),
  /** Where content is to lie; absent: where it lies, which is at first the server's own folder. */
  content: bucketSchema.optional(),
  /** For the bucket; absent: the one that the machine has, as Amazon's tools find it. */
  contentKey: bucketKeySchema.optional(),
  /** Opens the metrics, and nothing else; absent: only tokens of the platform do. */
  metricsToken: z.string().min(16).optional(),
  /** A collector of traces that takes OTLP over HTTP, without a slash at the end; absent: there are no traces. */
  traces: z.url().optional(),
  logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  times: timesSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  /** Refuse functions that ask for more than any worker has, instead of giving them what there is. */
  strictResources: z.boolean().default(false),
});

export type Times = z.output<typeof timesSchema>;
export type Limits = z.output<typeof limitsSchema>;
export type LimitsInput = z.input<typeof limitsSchema>;
export type TimesInput = z.input<typeof timesSchema>;
export type BucketSettings = z.output<typeof bucketSchema>;
export type BucketKey = z.output<typeof bucketKeySchema>;
export type ServerConfig = z.output<typeof serverConfigSchema>;
/** As written by the supervisor, defaults left out. */
export type ServerConfigInput = z.input<typeof serverConfigSchema>;

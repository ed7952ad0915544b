/** What the worker is told by its supervisor. */
import { z } from "zod";

import { registrySettingsSchema } from "./images/registry-settings.ts";

export const workerConfigSchema = z.object({
  /** The worker's own folder (container records, doors), mode 0700. */
  data: z.string(),
  /** Packages of the public clients by version and Python; shared by all platforms of this user, filled on demand. */
  cache: z.string(),
  /** Where the server listens: a numeric host and its port; and whether it can be handed connections as they are. */
  server: z.object({ host: z.string(), port: z.number().int().positive(), takesConnections: z.boolean().optional() }),
  /** The first line of the worker's own connections to the server. */
  workerSecret: z.string().min(32),
  runtime: z.discriminatedUnion("name", [
    z.object({
      name: z.literal("runc"),
      /** The programs' paths. */
      runc: z.string(),
      conmon: z.string(),
      /** Statically linked, for it runs in every image: the first process of a container. */
      tini: z.string(),
      /** What mounts buckets; absent: none are mounted. */
      rclone: z.string().optional(),
      /** Stores that buckets may be mounted of though containers do not reach them: origins, such as "http://127.0.0.1:9000". */
      stores: z.array(z.string()).default([]),
      /** Containers have a user namespace of their own: the kernel can show layers with other owners. */
      userNamespaces: z.boolean(),
      /** What containers leave free on the data disk; absent: disk/room.ts. */
      diskReserveMib: z.number().positive().optional(),
      /** How many warm starters wait, of each kind of container that was wanted lately. */
      starters: z.number().int().min(0).default(1),
      /** Where base images are pulled from; absent: they are made on this host. */
      registry: registrySettingsSchema.optional(),
      /** Builds and containers inherit the host's settings of apt, pip, uv, npm, proxies and certificates. */
      packageSettings: z.boolean().default(true),
    }),
    z.object({ name: z.literal("process") }),
  ]),
  /** What functions may ask for by name: `region`, `cloud`. */
  labels: z.record(z.string(), z.string()).default({}),
  logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
});

export type WorkerConfig = z.output<typeof workerConfigSchema>;
export type WorkerConfigInput = z.input<typeof workerConfigSchema>;

/** What every Lydian process needs and no single one owns. */
export * from "./absent.ts";
export * from "./backoff.ts";
export * from "./bells.ts";
export * from "./buffer-memory.ts";
export * from "./child.ts";
export * from "./clock.ts";
export * from "./durable.ts";
export * from "./errors.ts";
export * from "./file-names.ts";
export * from "./handed.ts";
export * from "./ids.ts";
export * from "./leases.ts";
export * from "./lock.ts";
export * from "./logger.ts";
export * from "./lookout.ts";
export * from "./turns.ts";

/** What tests share. */
export * from "./bucket-server.ts";
export * from "./debian-programs.ts";
export * from "./fake-worker.ts";
export * from "./file-platform.ts";
export * from "./host-traces.ts";
export * from "./manual-clock.ts";
export * from "./other-clients.ts";
export * from "./platform.ts";
export * from "./predictable-ids.ts";
export * from "./process-table.ts";
export * from "./program.ts";
export * from "./python-client.ts";
export * from "./seeded-random.ts";
export * from "./small-disk.ts";
export * from "./temporary-folder.ts";
export * from "./within.ts";

/** The host's present run, from boot to shutdown: no process, mount or namespace of another one is left. */
import { readFileSync } from "node:fs";

export const currentBoot: string = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

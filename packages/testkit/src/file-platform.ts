/** One platform for all tests of a file. */
import { after, afterEach } from "node:test";

import { Platform, type PlatformOptions } from "./platform.ts";

/** Starts it now and stops it after the last test; a test that fails is followed by the log of its time. */
export async function platformOfFile(options?: PlatformOptions): Promise<Platform> {
  const platform = await Platform.start(options);
  let shown = 0;
  afterEach((context) => {
    const fresh = platform.log.slice(shown);
    shown += fresh.length;
    if ("passed" in context && !context.passed) console.error(`The platform's log during "${context.name}":\n${fresh}`);
  });
  after(() => platform[Symbol.asyncDispose]());
  return platform;
}

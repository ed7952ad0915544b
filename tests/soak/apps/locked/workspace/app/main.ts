/** Run by tests/soak/lock-files.test.ts with a lock file beside it. */
import { App } from "lydian";
// @ts-expect-error -- it is not here
import ms from "ms";
// @ts-expect-error -- it is not here
import { read } from "@team/tool";

const app = new App("locked");

export const get = app.function((text: string): unknown => ({
  day: (ms as (text: string) => number)("1d"),
  toml: (read as (text: string) => unknown)(text),
}));

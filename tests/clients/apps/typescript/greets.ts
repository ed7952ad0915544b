/** What clients of other languages call. */
import { App, params, type StandardSchema } from "lydian";

const app = new App("greets");

interface Options {
  times?: number;
}

export const greet = app.function(async (name: string, { times = 1 }: Options = {}) =>
  Array<string>(times).fill(`Hello, ${name}`),
);

export const kinds = app.function(async (...values: unknown[]) => ({
  seen: values.map((value) =>
    value === null ? "null" : typeof value === "object" ? value.constructor.name : typeof value,
  ),
  date: new Date("2026-11-30T12:00:00Z"),
  set: new Set([1, 2]),
  large: 2n ** 70n,
  bytes: new Uint8Array([0, 255]),
  left: undefined,
}));

export const nothing = app.function(async () => {});

export const letters = app.function(async function* (word: string) {
  yield* word;
});

export const Counter = app.cls(
  class extends params({ start: 1, label: String }) {
    count(more = 0) {
      return `${this.label} ${this.start + more}`;
    }
    *upTo(end: number) {
      for (let at = this.start; at < end; at++) yield at;
    }
  },
);

export const fails = app.function(async (id: number) => {
  throw new RangeError(`no user ${id}`);
});

/** As libraries of schemas make them. */
const flags: StandardSchema<unknown, { times: number }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const { times } = value as { times?: unknown };
      return typeof times === "number"
        ? { value: { times } }
        : { issues: [{ message: "is no number", path: ["times"] }] };
    },
  },
};

export const main = app.localEntrypoint(flags, async ({ times }) => {
  console.log((await greet.remote("Bob", { times })).join(" and "));
});

/** What callers see of types, checked by the compiler: each line below fails `npm run check` when it is not so. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { App, Func, type FunctionCall, kwargs, type Kwargs, type MapStream } from "../src/index.ts";

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- how the compiler is asked whether two types are the same
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only where both types are the same. */
function same<A, B>(...differ: Same<A, B> extends true ? [] : ["types differ"]): void {
  assert.equal(differ.length, 0);
}

const app = new App("types");
const hello = app.function(async (name: string, times = 1) => name.repeat(times));
const named = app.function({ name: "plus", cpu: 2 }, (a: number, b: number) => a + b);
const items = app.function(async function* (n: number) {
  for (let i = 0; i < n; i++) yield { i };
});
const embed = app.function({ batched: { maxBatchSize: 8, waitMs: 10 } }, (texts: string[], sizes: number[]) =>
  texts.map((text, at) => ({ text, size: sizes[at] })),
);
const scored = Func.fromName<(x: number[], kw?: Kwargs<{ scale?: number }>) => number>("ml", "score");
const same2 = Func.fromName<typeof hello>("types", "hello");

// None of this runs: it is here to be checked.
export async function checks(): Promise<void> {
  same<Parameters<typeof hello.remote>, [name: string, times?: number | undefined]>();
  same<ReturnType<typeof hello.remote>, Promise<string>>();
  same<typeof named.name, "plus">();
  same<ReturnType<typeof named.remote>, Promise<number>>();
  same<ReturnType<typeof items.remote>, AsyncGenerator<{ i: number }, void>>();
  same<Awaited<ReturnType<typeof items.spawn>>, FunctionCall<{ i: number }>>();
  same<Parameters<typeof embed.remote>, [string, number]>();
  same<Awaited<ReturnType<typeof embed.remote>>, { text: string; size: number | undefined }>();
  const plain = hello.map(["a"]);
  same<typeof plain, MapStream<string>>();
  const kept = hello.map(["a"], { returnExceptions: true });
  same<typeof kept, MapStream<string | Error>>();
  same<ReturnType<typeof scored.remote>, Promise<number>>();
  await scored.remote([1], kwargs({ scale: 2 }));
  same<ReturnType<typeof same2.remote>, Promise<string>>();
  // @ts-expect-error the argument is a string
  await hello.remote(1);
  // @ts-expect-error a function is not called itself
  hello("x");
  // @ts-expect-error there is no such option
  app.function({ cpus: 1 }, () => 1);
  app.localEntrypoint({ name: "World", times: 3, loud: false, tags: [String], lang: String }, (flags) => {
    same<typeof flags, { name: string; times: number; loud: boolean; tags: string[]; lang: string }>();
  });
}

it("leaves the handler as it is", () => {
  assert.equal(named.local(1, 2), 3);
});

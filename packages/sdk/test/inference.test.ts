/** What callers see of types, checked by the compiler: each line below fails `npm run check` when it is not so. */
import assert from "node:assert/strict";
import { it } from "node:test";

import {
  App,
  client,
  Cls,
  Func,
  type FunctionCall,
  kwargs,
  type Kwargs,
  type MapStream,
  params,
  type StandardSchema,
} from "../src/index.ts";

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

const Model = app.cls(
  class extends params({ name: String, size: "base", layers: 3 }) {
    embed(text: string): number[] {
      return [text.length, this.layers];
    }
    async *tokens() {
      yield this.size;
    }
    _own() {}
  },
);
const Plain = app.cls(
  { cpu: 1 },
  class {
    go() {
      return 1;
    }
  },
);

const Mixed = app.cls(
  { methods: { embed: { batched: { maxBatchSize: 8, waitMs: 1 } }, api: { webEndpoint: {} } } },
  class extends params({ key: Uint8Array }) {
    embed(texts: string[]): number[] {
      return texts.map(({ length }) => length);
    }
    api(_request: Request) {
      return new Response();
    }
    plain(n: number) {
      return n;
    }
  },
);
declare const schema: StandardSchema<{ n: string }, { n: number }>;

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
  // What is known of nothing is no generator.
  const parse = app.function((text: string) => JSON.parse(text));
  same<ReturnType<typeof parse.remote>, Promise<any>>(); // oxlint-disable-line typescript/no-explicit-any
  const never = app.function((): never => {
    throw new Error("no");
  });
  same<ReturnType<typeof never.remote>, Promise<never>>();
  const generic = app.function(<T>(x: T): T => x);
  same<ReturnType<typeof generic.remote>, Promise<unknown>>();
  named.starmap([[1, 2] as const]);
  const plain = hello.map(["a"]);
  same<typeof plain, MapStream<string>>();
  const kept = hello.map(["a"], { returnExceptions: true });
  same<typeof kept, MapStream<string | Error>>();
  same<ReturnType<typeof scored.remote>, Promise<number>>();
  await scored.remote([1], kwargs({ scale: 2 }));
  same<ReturnType<typeof same2.remote>, Promise<string>>();
  const model = new Model({ name: "x" });
  same<ReturnType<typeof model.embed.remote>, Promise<number[]>>();
  same<ReturnType<typeof model.tokens.remote>, AsyncGenerator<string, void>>();
  same<keyof typeof model, "embed" | "tokens">();
  same<ReturnType<InstanceType<typeof Plain>["go"]["remote"]>, Promise<number>>();
  same<Awaited<ReturnType<typeof Model.local>>["layers"], number>();
  const c = client<{ hello: typeof hello; other: typeof named; Model: typeof Model; app: App; text: string }>("types");
  same<keyof typeof c, "hello" | "plus" | "Model">();
  same<ReturnType<typeof c.hello.remote>, Promise<string>>();
  same<ReturnType<InstanceType<typeof c.Model>["embed"]["remote"]>, Promise<number[]>>();
  const mixed = new (Mixed.withOptions({ cpu: 2 }))({ key: new Uint8Array() });
  same<Parameters<typeof mixed.embed.remote>, [string]>();
  same<ReturnType<typeof mixed.embed.remote>, Promise<number>>();
  same<ReturnType<typeof mixed.api.getWebUrl>, Promise<string>>();
  same<ReturnType<typeof mixed.plain.remote>, Promise<number>>();
  // @ts-expect-error a web method is not called from here
  void mixed.api.remote;
  const byName = Cls.fromName<typeof Mixed>("types", "Mixed");
  same<ReturnType<InstanceType<typeof byName>["embed"]["remote"]>, Promise<number>>();
  const checked = app.function({ input: schema }, ({ n }) => n + 1);
  same<Parameters<typeof checked.remote>, [input: { n: string }]>();
  same<ReturnType<typeof checked.remote>, Promise<number>>();
  app.localEntrypoint(schema, (flags) => same<typeof flags, { n: number }>());
  class Going {
    go() {}
  }
  // @ts-expect-error the class has no such method
  app.cls({ methods: { none: {} } }, Going);
  // @ts-expect-error name must be given
  void new Model();
  // @ts-expect-error there is no such parameter
  void new Model({ name: "x", depth: 1 });
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

it("refuses classes that no container could make", () => {
  class Odd {
    readonly x: number;
    constructor(x: number) {
      this.x = x;
    }
    run(): number {
      return this.x;
    }
  }
  assert.throws(() => app.cls(Odd), /a constructor of its own/);
  assert.throws(() => app.cls(class extends params({ a: 1 }) {}), /no methods that could be called/);
  assert.throws(() => params({ list: [String] }), /the parameter list is a list/);
});

it("leaves the handler as it is", () => {
  assert.equal(named.local(1, 2), 3);
});

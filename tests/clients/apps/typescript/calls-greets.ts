/** Calls functions that are written in TypeScript with the public JavaScript client, whose folder is the argument. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const client = pathToFileURL(createRequire(`${process.argv[2]}/`).resolve("modal")).href.replace(/\.cjs$/, ".js");
const { ModalClient, RemoteError } = (await import(client)) as {
  ModalClient: new () => {
    cls: {
      fromName(
        app: string,
        name: string,
      ): Promise<{
        instance(parameters: object): Promise<{ method(name: string): { remote(args: unknown[]): Promise<unknown> } }>;
      }>;
    };
    functions: {
      fromName(app: string, name: string): Promise<{ remote(args: unknown[], kwargs?: object): Promise<unknown> }>;
    };
    close(): void;
  };
  RemoteError: new () => Error;
};
const modal = new ModalClient();
const of = async (name: string, args: unknown[], kwargs?: object): Promise<unknown> =>
  await (await modal.functions.fromName("greets", name)).remote(args, kwargs);

assert.deepEqual(await of("greet", ["Ada"], { times: 2 }), ["Hello, Ada", "Hello, Ada"]);
const found = (await of("kinds", [1, "x", null, [1], { a: 1 }, new Date(0), 2n ** 70n])) as Record<string, unknown>;
assert.deepEqual(found["seen"], ["number", "string", "null", "Array", "Object", "Date", "bigint"]);
assert.deepEqual([found["date"], found["large"]], [new Date("2026-11-30T12:00:00Z"), 2n ** 70n]);
assert.ok([null, undefined].includes((await of("nothing", [])) as null));
await assert.rejects(
  of("fails", [7]),
  (error: Error) => error instanceof RemoteError && error.message.includes("RangeError: no user 7"),
);
const counter = await (await modal.cls.fromName("greets", "Counter")).instance({ label: "n", start: 40 });
assert.equal(await counter.method("count").remote([2]), "n 42");
console.log("all of it holds");
modal.close();

// lydian run examples/typescript/hello.ts --name Ada
import { App } from "lydian";

const app = new App("hello");

export const hello = app.function(async (name: string) => `Hello, ${name}, from ${process.platform}`);

export const main = app.localEntrypoint({ name: "World", times: 3 }, async ({ name, times }) => {
  console.log(await hello.local(name)); // here
  console.log(await hello.remote(name)); // in a container
  for await (const text of hello.map(Array<string>(times).fill(name))) console.log(text); // at the same time
});

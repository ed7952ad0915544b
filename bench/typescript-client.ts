/** The client of bench/typescript.ts: each line on stdin names a measurement, which is answered by a line of JSON. */
import { createInterface } from "node:readline";

import { ModalClient } from "@lydian/contract";
import { Client, type Func } from "lydian";

import { app, asleep, batched, concurrent, once, one } from "./typescript-app.ts";

type Empty = Func<(value: number) => unknown>;
type Answer = { seconds: number; count: number } | { samples: number[] };

async function timed(count: number, work: () => Promise<unknown>): Promise<Answer> {
  const began = performance.now();
  await work();
  return { seconds: (performance.now() - began) / 1000, count };
}

async function mapped(func: Empty, count: number): Promise<Answer> {
  await func.remote(0); // its container is there
  const numbers = Array.from({ length: count }, (_, index) => index);
  return await timed(count, async () => {
    let answers = 0;
    for await (const _ of func.map(numbers, { orderOutputs: false })) answers++;
    if (answers !== count) throw new Error(`${answers} of ${count} inputs were answered`);
  });
}

/** Each alone, in milliseconds. */
async function each(count: number, work: () => Promise<unknown>): Promise<Answer> {
  const samples: number[] = [];
  for (let round = 0; round < count; round++) {
    const began = performance.now();
    await work();
    samples.push(performance.now() - began);
  }
  return { samples };
}

async function spawned(count: number, inFlight: number): Promise<Answer> {
  await asleep.spawn(0); // takes the container
  let next = 0;
  const spawner = async (): Promise<void> => {
    while (next++ < count) await asleep.spawn(0);
  };
  return await timed(count, () => Promise.all(Array.from({ length: inFlight }, spawner)));
}

const measurements: Readonly<Record<string, (amount: number) => Promise<Answer>>> = {
  "round trip": (count) => each(count, () => Client.usual().ask(ModalClient.method.clientHello, {})),
  /** The same, as a stream of HTTP/2 of its own: what a request of gRPC costs that is not bundled with others. */
  "round trip, alone": (count) =>
    each(count, async () => {
      const method = { ...ModalClient.method.clientHello, methodKind: "server_streaming" } as never;
      for await (const _ of Client.usual().follow(method, {})) return;
    }),
  "remote()": async (count) => {
    await one.remote(0);
    return await each(count, () => one.remote(0));
  },
  calls: async (count) => {
    await one.remote(0);
    return await timed(count, async () => {
      for (let round = 0; round < count; round++) await one.remote(0);
    });
  },
  "map, 1 container": (count) => mapped(one, count),
  "map, 1 container, concurrent": (count) => mapped(concurrent, count),
  "map, 1 container, batched": (count) => mapped(batched, count),
  "spawn, 64 in flight": (count) => spawned(count, 64),
  "spawn, all at once": (count) => spawned(count, count),
  spawnMap: (count) => timed(count, () => asleep.spawnMap(Array<number>(count).fill(0))),
  once: (count) => each(count, () => once.remote()),
};

await using _ = await app.run();
for await (const line of createInterface({ input: process.stdin })) {
  const { name, amount } = JSON.parse(line) as { name: string; amount: number };
  console.log(JSON.stringify(await measurements[name]?.(amount)));
}

/** A large sum in pieces: each piece in a container of its own, as far as there is room. */
import { App } from "lydian";

const app = new App("map-reduce");

export const squares = app.function({ maxContainers: 4 }, ([from, to]: [from: number, to: number]) => {
  let sum = 0;
  for (let n = from; n < to; n++) sum += n * n;
  return sum;
});

export const total = app.function((parts: number[]) => parts.reduce((sum, part) => sum + part, 0));

export const main = app.localEntrypoint({ upTo: 10_000, piece: 1_000 }, async ({ upTo, piece }) => {
  const pieces = Array.from({ length: Math.ceil(upTo / piece) }, (_, at): [number, number] => [
    at * piece,
    Math.min(upTo, (at + 1) * piece),
  ]);
  const parts = await squares.map(pieces, { orderOutputs: false }).toArray();
  console.log("sum of squares:", await total.remote(parts));
});

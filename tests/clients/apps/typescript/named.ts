/** What the command's own things look like from a function. */
import { App, Dict, Func, Queue } from "lydian";

const app = new App("named");

export const fill = app.function(async () => {
  const prices = Dict.fromName<string | number>("prices");
  await prices.put("widget", { price: 3 });
  await prices.put(7, "a number's");
  await Queue.fromName<number>("line").putMany([1, 2, 3]);
});

export const deployed = app.function(async () => await Func.fromName<() => string>("versions", "word").remote());

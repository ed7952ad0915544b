/** Calls and spawns without a pause for some seconds, each of which has to come to its own result, whatever dies meanwhile. */
import { App } from "lydian";

const app = new App("faulty");

export const shared = app.function({ concurrent: { maxInputs: 20 } }, async (n: number) => n + 1);
export const alone = app.function({ maxContainers: 2 }, async (n: number) => n * 2);
/** Its containers take short inputs ahead of their turn. */
export const mapped = app.function({ maxContainers: 2 }, (n: number) => n * 3);

export const main = app.localEntrypoint({ seconds: 40 }, async ({ seconds }) => {
  const until = Date.now() + seconds * 1000;
  const done = { shared: 0, alone: 0, spawned: 0, mapped: 0 };
  const check = (what: keyof typeof done, n: number, found: number, right: number): void => {
    if (found !== right) throw new Error(`${what}(${n}) gave ${found}`);
    done[what]++;
  };
  let next = 0;
  const repeat = async (work: (n: number) => Promise<void>): Promise<void> => {
    while (Date.now() < until) await work(next++);
  };
  await Promise.all([
    ...Array.from({ length: 8 }, () => repeat(async (n) => check("shared", n, await shared.remote(n), n + 1))),
    ...Array.from({ length: 2 }, () => repeat(async (n) => check("alone", n, await alone.remote(n), n * 2))),
    ...Array.from({ length: 2 }, () =>
      repeat(async (n) => check("spawned", n, await (await shared.spawn(n)).get(), n + 1)),
    ),
    repeat(async (n) => {
      const numbers = Array.from({ length: 100 }, (_, index) => n + index);
      let answered = 0;
      for await (const found of mapped.map(numbers)) check("mapped", n + answered, found, 3 * (n + answered++));
      if (answered !== numbers.length) throw new Error(`${answered} of ${numbers.length} were answered`);
    }),
  ]);
  console.log(JSON.stringify(done));
});

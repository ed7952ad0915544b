/**
 * Deployments under load, by either strategy: none of 200 requests a second, nor of the calls beside them, is lost, and in the end all
 * are answered by the last edition. Where server or worker is killed meanwhile, what was under way then may be lost and nothing
 * after it is.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { missingClient, modal, newestClient, Platform, python, until, usualRuntime } from "@lydian/testkit";

import { WebCaller } from "../clients/web-caller.ts";
import { type Answered, latencies, Load, longestSilence } from "./load.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "images are made with containers";
const minutes = 60_000;
const patience = 5 * minutes;
const rate = 200;
/**
 * Under way at a time at most: the client's own runtime in the container may not be able to answer so many on this machine, and more
 * would only wait.
 */
const most = 60;
const apps = "tests/soak/apps";

const platform = await Platform.start({ args: ["--workspace", "home", "--log-level", "warn"] });
const caller = new WebCaller(platform);
const { port } = new URL(platform.url);
after(async () => {
  caller[Symbol.dispose]();
  await platform[Symbol.asyncDispose]();
});

const address = (name: string): string => `http://home--rolling-${name}.localhost:${port}/`;

async function deploy(edition: string, ...more: string[]): Promise<void> {
  await using run = modal(platform, newestClient, ["deploy", ...more, `${apps}/rolling.py`], {
    env: { EDITION: edition },
  });
  await run.finishWith(0, 5 * minutes);
}

/** What is answered until this edition is published and answers. */
async function published(load: Load, edition: string, strategy: string): Promise<Answered[]> {
  const from = load.answers.length;
  await using run = modal(platform, newestClient, ["deploy", "--strategy", strategy, `${apps}/rolling.py`], {
    env: { EDITION: edition },
  });
  await load.sees(edition, patience);
  await run.finishWith(0, patience);
  return load.answers.slice(from);
}

describe("a deployment under load", { skip, timeout: 30 * minutes }, () => {
  before(async () => await deploy("0"));

  for (const name of ["asked", "served"]) {
    for (const strategy of ["rolling", "recreate"]) {
      test(`by the strategy ${strategy} loses no request of ${name}`, async (t) => {
        const first = `${name} ${strategy}`;
        await deploy(first, "--strategy", "recreate");
        await caller.ask(address(name));
        await using calls = python(platform, newestClient, [`${apps}/rolling_calls.py`], { listens: true });
        await calls.sees("calling");
        using load = new Load(address(name), { rate, most });
        await load.sees(first, patience);
        await until(
          patience,
          () => load.answers.length > 300,
          () => `only ${load.answers.length} answers`,
        );
        t.diagnostic(`before: ${load.answers.length} requests, ${latencies(load.answers)}`);
        const editions = [1, 2, 3, 4].map((edition) => `${first} ${edition}`);
        for (const edition of editions) {
          const during = await published(load, edition, strategy);
          const silent = `${longestSilence(during).toFixed(0)} ms without an answer`;
          t.diagnostic(`${edition}: ${during.length} requests, ${latencies(during)}, at most ${silent}`);
        }
        const reached = load.answeredPerSecond;
        await load.stop();
        calls.tell("enough\n");
        const said = (await calls.finishWith(0, patience)).split("\n").find((line) => line.startsWith("{")) ?? "";
        const {
          answers,
          slowest,
          calls: count,
        } = JSON.parse(said) as { answers: Record<string, number>; slowest: number; calls: number };
        t.diagnostic(
          `${load.answers.length} requests, ${reached.toFixed(0)}/s of ${rate}/s; ${count} calls, the slowest ${slowest.toFixed(2)} s`,
        );
        const known = new Set([first, ...editions]);
        assert.deepEqual(
          load.answers.filter(({ text }) => !known.has(text)),
          [],
        );
        assert.deepEqual(
          Object.keys(answers).filter((edition) => !known.has(edition)),
          [],
        );
        assert.equal(
          Object.values(answers).reduce((sum, each) => sum + each, 0),
          count,
        );
      });
    }
  }
});

describe("a deployment under load, and a process killed meanwhile:", { skip, timeout: 30 * minutes }, () => {
  for (const name of ["asked", "served"]) {
    for (const role of ["server", "worker"] as const) {
      test(`of ${name} loses no more than what is under way when the ${role} is killed`, async (t) => {
        const [old, next] = [`${name} before ${role}`, `${name} after ${role}`];
        await deploy(old, "--strategy", "recreate");
        await caller.ask(address(name));
        using load = new Load(address(name), { rate, most });
        await load.sees(old, patience);
        const published = deploy(next);
        const fresh = platform.functions().length;
        await until(
          2 * minutes,
          () => platform.functions().length > fresh,
          () => "no container of the next edition begins",
        );
        const killed = await platform.kill(role);
        const killedAt = performance.now();
        await platform.replaced(role, killed);
        const backAt = performance.now();
        await published;
        await load.sees(next, patience);
        await load.stop();
        const isLost = ({ text }: Answered): boolean => ![old, next].includes(text);
        const lost = load.answers.filter(isLost);
        t.diagnostic(
          `${load.answers.length} requests, ${lost.length} lost, the new ${role} after ${(backAt - killedAt).toFixed(0)} ms; ${latencies(load.answers)}`,
        );
        // Until its caller hears of it, it also asks on connections that the dead server has.
        const answered = load.answers.filter((each) => !isLost(each) && each.at > killedAt);
        const again = Math.min(...answered.map(({ at, tookMs }) => at + tookMs));
        assert.deepEqual(
          lost.filter(({ at }) => at > again),
          [],
          "once one is answered again, all are",
        );
        assert.ok(lost.length <= most, `${lost.length} lost, where ${most} can be under way`);
      });
    }
  }
});

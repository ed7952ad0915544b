/**
 * Deployments under load: none of 200 requests a second, nor of the calls beside them, is lost or waits for a container to start, and
 * in the end all are answered by the last edition. Where server or worker is killed meanwhile, what was under way then may be lost and
 * nothing after it is.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { missingClient, modal, newestClient, Platform, python, until, usualRuntime } from "@lydian/testkit";

import { WebCaller } from "../clients/web-caller.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "images are made with containers";
const minutes = 60_000;
const perSecond = 200;
/** Under way at a time at most: the client's own runtime in the container may not be able to answer so many on this machine. */
const most = 30;
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

interface Answered {
  text: string;
  at: number;
  tookMs: number;
}

/** Asks at an even pace, whatever the answers take, until it is told to stop. */
class Load {
  readonly answers: Answered[] = [];
  /** What it would have asked, had it not had `most` to wait for: this machine is too slow. */
  left = 0;
  #waiting = 0;
  readonly #under: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(name: string, rate: number) {
    const began = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      for (; sent < ((performance.now() - began) * rate) / 1_000; sent++) {
        if (this.#waiting < most) this.#under.push(this.#ask(address(name)));
        else this.left++;
      }
    }, 5);
  }

  async #ask(url: string): Promise<void> {
    const at = performance.now();
    this.#waiting++;
    const text = await caller.ask(url).then(
      (answer) => (answer.status === 200 ? answer.text : `${answer.status}: ${answer.text}`),
      (error: unknown) => String(error),
    );
    this.#waiting--;
    this.answers.push({ text, at, tookMs: performance.now() - at });
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
  }

  async sees(edition: string): Promise<void> {
    const last = (): string | undefined => this.answers.at(-1)?.text;
    await until(
      2 * minutes,
      () => last() === edition,
      () => `still ${last()}`,
    );
  }
}

/** The longest time in which nothing was answered. */
function longestSilence(answers: readonly Answered[]): number {
  const ends = answers.map(({ at, tookMs }) => at + tookMs).toSorted((a, b) => a - b);
  return Math.max(...ends.slice(1).map((end, i) => end - (ends[i] ?? end)));
}

function latencies(answers: readonly Answered[]): string {
  const took = answers.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  const at = (share: number): string => `${(took[Math.floor(share * (took.length - 1))] ?? 0).toFixed(1)} ms`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, slowest ${at(1)}`;
}

describe("a deployment under load", { skip, timeout: 6 * minutes }, () => {
  before(async () => await deploy("0"));

  for (const name of ["asked", "served"]) {
    test(`loses no request of ${name}, and lets none wait for a container's start`, async (t) => {
      await deploy(`${name} 0`, "--strategy", "recreate");
      await caller.ask(address(name));
      await using calls = python(platform, newestClient, [`${apps}/rolling_calls.py`], { listens: true });
      await calls.sees("calling");
      const load = new Load(name, perSecond);
      await load.sees(`${name} 0`);
      await until(
        minutes,
        () => load.answers.length > 300,
        () => `only ${load.answers.length} answers`,
      );
      t.diagnostic(`before: ${load.answers.length} requests, ${latencies(load.answers)}`);
      const editions = [1, 2, 3, 4].map((edition) => `${name} ${edition}`);
      for (const edition of editions) {
        const began = performance.now();
        await deploy(edition);
        await load.sees(edition);
        const during = load.answers.filter(({ at }) => at >= began);
        assert.ok(longestSilence(during) < 3_000, `${longestSilence(during)} ms of silence: the start of a container`);
        t.diagnostic(`${edition}: ${during.length} requests, ${latencies(during)}`);
      }
      await load.stop();
      calls.tell("enough\n");
      const said = (await calls.finishWith(0)).split("\n").find((line) => line.startsWith("{")) ?? "";
      const {
        answers,
        slowest,
        calls: count,
      } = JSON.parse(said) as { answers: Record<string, number>; slowest: number; calls: number };
      t.diagnostic(
        `${load.answers.length} requests, and ${count} calls of which the slowest took ${slowest.toFixed(2)} s`,
      );
      const known = new Set([`${name} 0`, ...editions]);
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
});

describe("a deployment under load, and a process killed meanwhile:", { skip, timeout: 6 * minutes }, () => {
  for (const name of ["asked", "served"]) {
    for (const role of ["server", "worker"] as const) {
      test(`of ${name} loses no more than what is under way when the ${role} is killed`, async (t) => {
        const [old, next] = [`${name} before ${role}`, `${name} after ${role}`];
        await deploy(old, "--strategy", "recreate");
        await caller.ask(address(name));
        const load = new Load(name, perSecond);
        await load.sees(old);
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
        await load.sees(next);
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

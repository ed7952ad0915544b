/** Requests at an even pace, whatever the answers take, as from callers who know nothing of each other; every answer is kept. */
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";

import { until } from "@lydian/testkit";

export interface Answered {
  /** The body; with the status in front of it where that is not 200, or what broke. */
  text: string;
  at: number;
  tookMs: number;
}

/** One in so many takes a second, so that there is always something under way. */
const slowOneIn = 50;

export class Load implements Disposable {
  readonly answers: Answered[] = [];
  readonly #host: string;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #under = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #began = performance.now();

  /** `url`: as the client printed it. `rate`: a second. `most`: under way at a time; what is due then is sent as soon as it can be. */
  constructor(url: string, { rate, most }: { rate: number; most: number }) {
    const { host, port } = new URL(url);
    [this.#host, this.#port] = [host, Number(port)];
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - this.#began) * rate) / 1_000);
      for (; sent < due && this.#under.size < most; sent++) this.#send(sent % slowOneIn === 0 ? "/slow" : "/");
    }, 5);
  }

  /** Since the beginning. */
  get answeredPerSecond(): number {
    return (this.answers.length * 1_000) / (performance.now() - this.#began);
  }

  /** Resolves when all that was sent is answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
  }

  /** What is under way is broken off. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#agent.destroy();
  }

  /** Resolves when the last answer is this. */
  async sees(edition: string, patienceMs: number): Promise<void> {
    const last = (): string | undefined => this.answers.at(-1)?.text;
    await until(
      patienceMs,
      () => last() === edition,
      () => `still ${last()}`,
    );
  }

  #send(path: string): void {
    const asked = this.#ask(path);
    this.#under.add(asked);
    void asked.then(() => this.#under.delete(asked));
  }

  async #ask(path: string): Promise<void> {
    const at = performance.now();
    const answer = await this.#answer(path).catch((error: unknown) => String(error));
    this.answers.push({ text: answer, at, tookMs: performance.now() - at });
  }

  /** As long as it is told to ask elsewhere, it does. */
  #answer(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const to = { agent: this.#agent, host: "127.0.0.1", port: this.#port, path, headers: { host: this.#host } };
      const sent = request(to, (answer) => {
        const { statusCode, headers } = answer;
        if (statusCode === 303) {
          answer.resume();
          resolve(this.#answer(headers.location ?? ""));
          return;
        }
        text(answer).then((body) => resolve(statusCode === 200 ? body : `${statusCode}: ${body}`), reject);
      });
      sent.on("error", reject).end();
    });
  }
}

/** The longest time in which nothing was answered, in milliseconds. */
export function longestSilence(answers: readonly Answered[]): number {
  const ends = answers.map(({ at, tookMs }) => at + tookMs).toSorted((a, b) => a - b);
  return Math.max(...ends.slice(1).map((end, i) => end - (ends[i] ?? end)));
}

export function latencies(answers: readonly Answered[]): string {
  const took = answers.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  const at = (share: number): string => `${(took[Math.floor(share * (took.length - 1))] ?? 0).toFixed(1)} ms`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, slowest ${at(1)}`;
}

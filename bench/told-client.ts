/** A client program that reads the names of measurements from its stdin and answers each with a line of JSON (bench/throughput.py). */
import { type Program, until } from "@lydian/testkit";

const patienceMs = 600_000;

export interface Result {
  readonly seconds: number;
  readonly count: number;
  readonly samples: readonly number[];
}

export class ToldClient {
  readonly program: Program;
  #answers = 0;

  constructor(program: Program) {
    this.program = program;
  }

  async measure(name: string, amount: number): Promise<Result> {
    this.program.tell(`${JSON.stringify({ name, amount })}\n`);
    const line = await until(
      patienceMs,
      () => {
        const answer = this.program.stdout.split("\n").filter((text) => text.startsWith("{"))[this.#answers];
        if (answer === undefined && this.program.end !== undefined) throw new Error(this.program.describe("ended"));
        return answer;
      },
      () => this.program.describe(`does not answer ${name}`),
    );
    this.#answers++;
    return JSON.parse(line) as Result;
  }
}

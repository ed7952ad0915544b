/** Which containers ran which numbers, and which answered, by what the clients of numbered.py have printed. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Caller } from "./caller.ts";
import type { Killer } from "./killer.ts";

interface Run {
  /** Containers whose `begin` and `end` were printed. */
  readonly begun: string[];
  readonly ended: string[];
  /** Containers whose answer came. */
  readonly answered: string[];
}

export class Runs {
  readonly #runs = new Map<string, Run>();
  readonly #printed: string[] = [];
  #answered = 0;

  add({ lines }: Caller): void {
    this.#printed.push(...lines);
    this.#answered += Number(/stopped after (\d+)/.exec(lines.join("\n"))?.[1]);
    // Not line by line: two that write at once may share one.
    for (const [, word, number, container] of lines.join("\n").matchAll(/(begin|end|answer) (\d+) (ta-\w+)/g)) {
      if (word === undefined || number === undefined || container === undefined) continue;
      const run = this.#runs.get(number) ?? { begun: [], ended: [], answered: [] };
      this.#runs.set(number, run);
      (word === "begin" ? run.begun : word === "end" ? run.ended : run.answered).push(container);
    }
  }

  /** What there is no reason for; with any, where all that was printed can be read. */
  flaws(killer: Killer): string[] {
    const flaws = this.#flaws(killer);
    if (flaws.length === 0) return flaws;
    const file = join(mkdtempSync(join(tmpdir(), "lydian-runs-")), "printed");
    writeFileSync(file, this.#printed.join("\n"));
    return [...flaws, `all that was printed is in ${file}`];
  }

  #flaws(killer: Killer): string[] {
    const flaws =
      this.#answered === this.#runs.size ? [] : [`${this.#answered} calls were answered of ${this.#runs.size}`];
    for (const [number, { begun, ended, answered }] of this.#runs) {
      const [container = "nobody", ...others] = answered;
      const restarted = begun.filter((each) => each !== container && !killer.isEnded(each));
      for (const each of restarted)
        flaws.push(`${number} was run by ${each}, which was not killed, and by ${container}`);
      if (others.length > 0) flaws.push(`${number} was answered by ${answered.join(" and ")}`);
      // What conmon has not read when it is killed is lost.
      const isHeard = begun.includes(container) && ended.includes(container);
      if (!isHeard && !killer.hit.conmon.has(container))
        flaws.push(`${number} was answered by ${container}, which was not heard`);
      if (new Set(begun).size < begun.length || new Set(ended).size < ended.length)
        flaws.push(`${number} was heard twice`);
    }
    return flaws;
  }

  describe(): string {
    const repeats = [...this.#runs.values()].reduce((sum, { begun }) => sum + begun.length - 1, 0);
    return `${this.#answered} calls answered, ${repeats} inputs run once more`;
  }
}

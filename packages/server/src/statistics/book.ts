/**
 * Counts what happens by the minute, and remembers the last of what has ended: in memory first, and in the store a little later, or as
 * soon as somebody asks. No call waits for it; what a crash finds in memory is not counted.
 */
import type { Clock, Logger, Timer } from "@lydian/kit";

import type { PastInput } from "../domain/call-history.ts";
import type { Happening, InputEnded, RequestEnded } from "../domain/happening.ts";
import { minute, mostPast, type PastRequest, type TallyKey } from "../domain/statistics.ts";
import type { Store, Tx } from "../domain/store.ts";
import { emptyTally, observe, type Tally } from "../domain/tally.ts";

/** So long after something happened it is in the store. */
const flushMs = 10_000;
/** Rows in one unit of work. */
const portion = 500;

const outcomes = { success: "succeeded", timeout: "timedOut", terminated: "cancelled" } as const;

export interface BookDeps {
  store: Pick<Store, "note">;
  clock: Clock;
  log: Logger;
}

interface Counted {
  key: TallyKey;
  tally: Tally;
}

export class StatisticsBook {
  readonly #deps: BookDeps;
  #tallies = new Map<string, Counted>();
  #inputs = new Map<string, PastInput[]>();
  #requests = new Map<string, PastRequest[]>();
  #timer: Timer | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(deps: BookDeps) {
    this.#deps = deps;
  }

  start(): void {}

  async close(): Promise<void> {
    await this.flush();
  }

  /** Never throws, and waits for nothing. */
  hear(happening: Happening): void {
    switch (happening.kind) {
      case "inputEnded": {
        const { input, call, status, startedAt, endedAt } = happening;
        const { functionId, containerId, method, index, queuedAt } = input;
        this.#ended({ functionId, callId: call.id, index, method, queuedAt, startedAt, endedAt, containerId }, status);
        break;
      }
      case "requestEnded": {
        const { kind: _, status, ...request } = happening;
        this.#ended({ ...request, index: 0 }, status);
        break;
      }
      case "requestAnswered":
        this.#answered(happening.request);
        break;
      case "containerReady": {
        const { container, readyAt } = happening;
        const tally = this.#tally(container.functionId, container.id, readyAt);
        tally.started++;
        observe(tally.startup, readyAt - container.createdAt);
        break;
      }
      case "containerGone":
        if (happening.isError)
          this.#tally(happening.container.functionId, happening.container.id, happening.at).errors++;
        break;
      case "containerUsed": {
        const { functionId, containerId, at, milliCpu, memoryMib } = happening;
        const tally = this.#tally(functionId, containerId, at);
        observe(tally.cpu, milliCpu);
        observe(tally.memory, memoryMib);
        break;
      }
      case "inputsQueued":
      case "inputDelayed":
      case "volumeCommitted":
        return;
    }
    this.#timer ??= this.#deps.clock.timer(flushMs, () => void this.flush()).unref();
  }

  /** What has happened until now is in the store when it resolves; where that fails, the log says so, and it is not counted. */
  async flush(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const [tallies, inputs, requests] = [this.#tallies, this.#inputs, this.#requests];
    [this.#tallies, this.#inputs, this.#requests] = [new Map(), new Map(), new Map()];
    this.#last = this.#last.then(async () => {
      await this.#put([...tallies.values()], (tx, rows) => tx.statistics.add(rows));
      await this.#put([...inputs.values()].flat(), (tx, rows) => tx.callHistory.add(rows));
      await this.#put([...requests.values()].flat(), (tx, rows) => tx.statistics.addRequests(rows));
    });
    await this.#last;
  }

  async #put<Row>(rows: readonly Row[], add: (tx: Tx, rows: readonly Row[]) => Promise<void>): Promise<void> {
    const { store, log } = this.#deps;
    try {
      for (let at = 0; at < rows.length; at += portion) {
        const some = rows.slice(at, at + portion);
        await store.note((tx) => add(tx, some));
      }
    } catch (error) {
      log.error({ err: error, rows: rows.length }, "what happened could not be counted");
    }
  }

  #ended(of: Omit<PastInput, "outcome">, status: (InputEnded | RequestEnded)["status"]): void {
    const { functionId, containerId, queuedAt, startedAt, endedAt } = of;
    const tally = this.#tally(functionId, containerId ?? "", endedAt);
    tally[status in outcomes ? outcomes[status as keyof typeof outcomes] : "failed"]++;
    if (startedAt !== undefined) observe(tally.ran, endedAt - startedAt);
    observe(tally.took, endedAt - queuedAt);
    remember(this.#inputs, { ...of, outcome: status });
  }

  #answered(request: PastRequest): void {
    const { functionId, containerId, at, ms, status } = request;
    const tally = this.#tally(functionId, containerId, at + ms);
    tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
    observe(tally.answered, ms);
    remember(this.#requests, request);
  }

  #tally(functionId: string, containerId: string, at: number): Tally {
    const from = at - (at % minute);
    const name = `${functionId} ${containerId} ${from}`;
    let counted = this.#tallies.get(name);
    if (counted === undefined) {
      counted = { key: { functionId, containerId, from }, tally: emptyTally() };
      this.#tallies.set(name, counted);
    }
    return counted.tally;
  }
}

/** The newest of each function; the array is let grow to twice of that, so that it is seldom cut. */
function remember<T extends { functionId: string }>(past: Map<string, T[]>, each: T): void {
  const own = past.get(each.functionId);
  if (own === undefined) past.set(each.functionId, [each]);
  else if (own.push(each) >= 2 * mostPast) own.splice(0, own.length - mostPast);
}

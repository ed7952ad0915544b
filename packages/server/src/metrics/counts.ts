/** What is counted as it happens, in memory: since this process began, as Prometheus expects it of counters. */
import type { Happening } from "../domain/happening.ts";
import type { Family, Labels, Sample } from "./exposition.ts";

/** Upper bounds in seconds. */
const shortTimes = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];
const longTimes = [0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 3_600];

/** Durations by how long they were, without the durations themselves. */
class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(seconds: number): void {
    let at = 0;
    while (at < this.#bounds.length && seconds > (this.#bounds[at] ?? 0)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += seconds;
  }

  samples(labels: Labels = {}): Sample[] {
    let total = 0;
    const buckets = this.#counts.map((count, at) => {
      total += count;
      return { suffix: "_bucket", labels: { ...labels, le: String(this.#bounds[at] ?? "+Inf") }, value: total };
    });
    return [...buckets, { suffix: "_sum", labels, value: this.#sum }, { suffix: "_count", labels, value: total }];
  }
}

export class Counts {
  readonly #rpcs = new Map<string, { seconds: Histogram; statuses: Map<number, number> }>();
  readonly #ended = new Map<string, number>();
  readonly #gone = new Map<string, number>();
  #queued = 0;
  #delayed = 0;
  readonly #waited = new Histogram(longTimes);
  readonly #ran = new Histogram(longTimes);
  readonly #started = new Histogram(longTimes);

  rpc(name: string, ms: number, status: number): void {
    let known = this.#rpcs.get(name);
    if (known === undefined)
      this.#rpcs.set(name, (known = { seconds: new Histogram(shortTimes), statuses: new Map() }));
    known.seconds.observe(ms / 1000);
    add(known.statuses, status);
  }

  hear(happening: Happening): void {
    switch (happening.kind) {
      case "inputsQueued":
        this.#queued += happening.count;
        break;
      case "inputDelayed":
        this.#delayed++;
        break;
      case "inputEnded": {
        const { claimedAt, queuedAt } = happening.input;
        add(this.#ended, happening.status);
        if (claimedAt === undefined) break;
        this.#waited.observe((claimedAt - queuedAt) / 1000);
        this.#ran.observe((happening.endedAt - claimedAt) / 1000);
        break;
      }
      case "requestEnded":
        add(this.#ended, happening.status);
        this.#waited.observe((happening.startedAt - happening.queuedAt) / 1000);
        this.#ran.observe((happening.endedAt - happening.startedAt) / 1000);
        break;
      case "containerReady":
        this.#started.observe((happening.readyAt - happening.container.createdAt) / 1000);
        break;
      case "containerGone":
        add(this.#gone, happening.reason);
        break;
      case "containerUsed":
      case "requestAnswered":
      case "volumeCommitted":
        break;
    }
  }

  families(): Family[] {
    const rpcs = [...this.#rpcs];
    const counter = (name: string, help: string, samples: readonly Sample[]): Family => ({
      ...{ name, help, type: "counter", samples },
    });
    const histogram = (name: string, help: string, samples: readonly Sample[]): Family => ({
      ...{ name, help, type: "histogram", samples },
    });
    return [
      counter(
        "lydian_rpcs_total",
        "RPCs that were answered, by the number of their gRPC status.",
        rpcs.flatMap(([rpc, { statuses }]) =>
          [...statuses].map(([status, value]) => ({ labels: { rpc, status: String(status) }, value })),
        ),
      ),
      histogram(
        "lydian_rpc_seconds",
        "From an RPC's arrival to its answer; some wait for what they ask for.",
        rpcs.flatMap(([rpc, { seconds }]) => seconds.samples({ rpc })),
      ),
      counter("lydian_inputs_queued_total", "Inputs that were accepted.", [{ value: this.#queued }]),
      counter("lydian_inputs_retried_total", "Attempts that failed and are made again.", [{ value: this.#delayed }]),
      counter(
        "lydian_inputs_ended_total",
        "Inputs that have an output, and web requests in memory that were answered.",
        byLabel(this.#ended, "status"),
      ),
      histogram(
        "lydian_input_wait_seconds",
        "How long inputs waited for a container, at their last attempt.",
        this.#waited.samples(),
      ),
      histogram(
        "lydian_input_run_seconds",
        "How long containers had them, at their last attempt.",
        this.#ran.samples(),
      ),
      histogram(
        "lydian_container_start_seconds",
        "From the decision to start a container until it asks for inputs.",
        this.#started.samples(),
      ),
      counter("lydian_containers_ended_total", "Containers that are gone.", byLabel(this.#gone, "reason")),
    ];
  }
}

function byLabel(counts: ReadonlyMap<string, number>, label: string): Sample[] {
  return [...counts].map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

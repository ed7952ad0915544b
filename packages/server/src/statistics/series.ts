/** The series that a function's or a server's past can be asked for: what each is called, and how it is read from what was counted. Pure. */
import type { Tally } from "../domain/tally.ts";
import { quantile, type Sketch } from "../domain/tally.ts";

export interface Series {
  /** Its end says how the values of one bucket become one. */
  name: string;
  unit: string;
  description: string;
  /** Undefined where nothing was seen. */
  value: (tally: Tally) => number | undefined;
}

/** One line of the list of series. */
export interface SeriesRow {
  displayName: string;
  description: string;
  series: readonly Series[];
}

export interface SeriesGroup {
  name: string;
  rows: readonly SeriesRow[];
}

const shares = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 };

function count(name: string, unit: string, description: string, value: (tally: Tally) => number): SeriesRow {
  const whole = `${name}_count`;
  return { displayName: whole, description, series: [{ name: whole, unit, description, value }] };
}

/** What a sketch counts, and in how many of those its unit is. */
export interface Unit {
  name: string;
  size: number;
}

export const seconds: Unit = { name: "seconds", size: 1_000 };
export const cores: Unit = { name: "cores", size: 1_000 };
export const gibibytes: Unit = { name: "GiB", size: 1_024 };

export function quantileIn(sketch: Sketch, share: number, unit: Unit): number | undefined {
  const value = quantile(sketch, share);
  return value === undefined ? undefined : value / unit.size;
}

function percentiles(
  name: string,
  description: string,
  sketch: (tally: Tally) => Sketch,
  unit: Unit = seconds,
): SeriesRow {
  const series = Object.entries(shares).map(([suffix, share]) => ({
    ...{ name: `${name}_${suffix}`, unit: unit.name, description: `${description}: ${suffix}` },
    value: (tally: Tally) => quantileIn(sketch(tally), share, unit),
  }));
  return { displayName: `${name}_{${Object.keys(shares).join(",")}}`, description, series };
}

const containers: SeriesGroup = {
  name: "containers",
  rows: [
    count("started_containers", "containers", "Containers that became ready", ({ started }) => started),
    count("failed_containers", "containers", "Containers whose end was an error", ({ errors }) => errors),
    percentiles("container_startup_time", "From a container's creation until it is ready", ({ startup }) => startup),
  ],
};

const cpu: SeriesGroup = {
  name: "cpu",
  rows: [percentiles("cpu_usage", "Processor use of containers, by the minute", (tally) => tally.cpu, cores)],
};

const memory: SeriesGroup = {
  name: "memory",
  rows: [
    percentiles(
      "memory_usage",
      "Memory of containers with their page cache, by the minute",
      (tally) => tally.memory,
      gibibytes,
    ),
  ],
};

const calls: SeriesGroup = {
  name: "calls",
  rows: [
    count("successful_calls", "calls", "Inputs that succeeded", ({ succeeded }) => succeeded),
    count("failed_calls", "calls", "Inputs that failed", ({ failed }) => failed),
    count("timed_out_calls", "calls", "Inputs that ran longer than their timeout", ({ timedOut }) => timedOut),
    count(
      "cancelled_calls",
      "calls",
      "Inputs that were cancelled, or whose callers left",
      ({ cancelled }) => cancelled,
    ),
    percentiles("execution_time", "How long containers had inputs", ({ ran }) => ran),
    percentiles("end_to_end_latency", "From an input's queuing to its end", ({ took }) => took),
  ],
};

const ofStatus = (first: number) => (tally: Tally) =>
  Object.entries(tally.statuses).reduce(
    (sum, [status, n]) => sum + (Math.floor(Number(status) / 100) === first ? n : 0),
    0,
  );

const requests: SeriesGroup = {
  name: "requests",
  rows: [
    ...[2, 3, 4, 5].map((first) =>
      count(`requests_${first}xx`, "requests", `Requests that were answered with ${first}xx`, ofStatus(first)),
    ),
    count("unanswered_requests", "requests", "Requests whose callers left before they were answered", ofStatus(0)),
    percentiles("request_latency", "From a request's arrival to the end of its answer", ({ answered }) => answered),
  ],
};

export const groupsOf = {
  function: [calls, containers, cpu, memory],
  server: [requests, containers, cpu, memory],
} as const;

/** What the clients know and nobody measures here. */
export const notMeasured = ["network", "gpu"];

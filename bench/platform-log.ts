/** What server and worker say at log level debug, as values: the times by which bench/containers.ts splits a start. */

export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly container?: string;
  /** Of a container's start or end, by its runtime. */
  readonly step?: string;
  /** That a container has entered. */
  readonly phase?: string;
  readonly rpc?: string;
  /** How long the RPC took, up to this line. */
  readonly ms?: number;
  readonly msg: string;
}

/** The lines from a place in the text on. */
export function linesOf(log: string, from = 0): LogLine[] {
  return log
    .slice(from)
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => {
      const { time, ...rest } = JSON.parse(line) as { time: string } & Omit<LogLine, "at">;
      return { ...rest, at: Date.parse(time) };
    });
}

/** The phases of one cold start in their order, each with its milliseconds. */
export type Phases = ReadonlyMap<string, number>;

/** What is done for the worker's part of a start, and until when. */
type Marks = readonly (readonly [phase: string, until: number])[];

/** `lines` are of one call that started one container; `interpreterUp` is when its Python ran, as it noted itself. */
export function coldPhases(lines: readonly LogLine[], interpreterUp: number): Phases {
  const step = (name: string): number => found(lines, name, (line) => line.step === name).at;
  return phasesOf(lines, [
    ["layers: lease on disk, layers held", step("layers")],
    ["network: beyond that", Math.max(step("layers"), step("network"))],
    ["root: folders, mount, listener", step("root")],
    ["files: mounted files, client", step("files")],
    ["runtime: create", step("created")],
    ["runtime: start", step("started")],
    ["interpreter", interpreterUp],
  ]);
}

/** The same where the container began in a starter. */
export function warmPhases(lines: readonly LogLine[]): Phases {
  return phasesOf(lines, [
    ["take: lease on disk, door, limits", found(lines, "handed over", ({ step }) => step === "handed over").at],
    ["files: mounted files, copied by the starter", found(lines, "running", ({ phase }) => phase === "running").at],
  ]);
}

function phasesOf(lines: readonly LogLine[], workers: Marks): Phases {
  const rpc = (name: string, after = 0): LogLine => found(lines, name, (line) => line.rpc === name && line.at >= after);
  const map = rpc("FunctionMap");
  const began = map.at - (map.ms ?? 0);
  const hello = rpc("ContainerHello").at;
  const taken = rpc("FunctionGetInputs", hello).at;
  const marks: Marks = [
    ["accept: the call is on disk", map.at],
    ["schedule: to the worker", found(lines, "assigned", ({ msg }) => msg === "assigned").at],
    ...workers,
    ["the client's own start, import of it", hello],
    ["import of the app, first input taken", taken],
    ["total, call to first input taken", Number.NaN],
    ["the function and its answer", rpc("FunctionGetOutputs", taken).at],
  ];
  const phases = new Map<string, number>();
  let before = began;
  for (const [phase, until] of marks) {
    phases.set(phase, Number.isNaN(until) ? before - began : until - before);
    if (!Number.isNaN(until)) before = until;
  }
  return phases;
}

function found(lines: readonly LogLine[], what: string, fits: (line: LogLine) => boolean): LogLine {
  const line = lines.find(fits);
  if (line === undefined) throw new Error(`the platform's log has no line about ${what}`);
  return line;
}

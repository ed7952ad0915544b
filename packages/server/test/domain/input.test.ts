/** The states of an input: what every event makes of every state, as one table; then what holds in all of its cells. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  defaultCrashPolicy,
  type Failure,
  type Input,
  type InputEvent,
  type InputState,
  type Outcome,
  step,
  type Step,
} from "../../src/domain/input.ts";
import { noRetries, type RetryPolicy } from "../../src/domain/retry.ts";

const now = 1_000_000;

const queued: Input = {
  id: "in-1",
  callId: "fc-1",
  functionId: "fu-1",
  index: 7,
  state: "queued",
  payload: new Uint8Array([1, 2, 3]),
  method: "predict",
  attempt: 3,
  failures: 1,
  crashes: 1,
  containerId: undefined,
  claimedAt: undefined,
  queuedAt: now - 500,
  dueAt: undefined,
  ending: undefined,
};
const claimed: Input = { ...queued, state: "claimed", containerId: "ta-1", claimedAt: now - 100 };
const cancelled: Failure = { status: "terminated", message: "The call was cancelled." };
const late: Failure = { status: "timeout", message: "It ran too long." };
const stopped: Failure = { status: "failure", message: "The app has crashed." };

/** Every state, with what makes a difference within it. */
const states: Readonly<Record<string, Input>> = {
  queued,
  claimed,
  "to time out": { ...claimed, ending: { ...late, since: now - 10 } },
  "to cancel": { ...claimed, ending: { ...cancelled, since: now - 10 } },
  delayed: { ...queued, state: "delayed", dueAt: now + 1 },
  due: { ...queued, state: "delayed", dueAt: now },
  done: { ...claimed, state: "done" },
};

const again: RetryPolicy = { retries: 2, initialMs: 250, factor: 1, maxMs: 1_000 };
const lastFailed: RetryPolicy = { ...again, retries: 1 };

const report = (outcome: Outcome, retry = again): InputEvent => ({
  kind: "report",
  containerId: "ta-1",
  attempt: 3,
  outcome,
  retry,
});
const lose = (crashed: boolean, perInput: number, retry = again): InputEvent => ({
  kind: "lose",
  functionName: "f",
  crashed,
  reason: "exited with code 1",
  crash: { ...defaultCrashPolicy, perInput },
  retry,
  repeatable: true,
});

/** Every event, with what makes a difference within it; "last" where no further attempt is allowed. */
const events: Readonly<Record<string, InputEvent>> = {
  claim: { kind: "claim", containerId: "ta-2" },
  success: report("success"),
  failure: report("failure"),
  "failure, last": report("failure", lastFailed),
  terminated: report("terminated"),
  "terminated, last": report("terminated", lastFailed),
  interrupted: report("interrupted"),
  "interrupted, last": report("interrupted", lastFailed),
  "success, of an earlier attempt": { ...report("success"), attempt: 2 } as InputEvent,
  "success, of a stranger": { ...report("success"), containerId: "ta-2" } as InputEvent,
  lost: lose(false, 2),
  "lost, last": lose(false, 2, lastFailed),
  crashed: lose(true, 3),
  "crashed, last": lose(true, 2),
  "stop: cancelled": { kind: "stop", failure: cancelled },
  "stop: too long": { kind: "stop", failure: late },
  "give back": { kind: "giveBack", containerId: "ta-1", attempt: 3 },
  "give back, of a stranger": { kind: "giveBack", containerId: "ta-2", attempt: 3 },
  "give up": { kind: "giveUp", retry: again },
  "give up, last": { kind: "giveUp", retry: lastFailed },
  wake: { kind: "wake" },
  "fail: stopped": { kind: "fail", failure: stopped },
  "fail: as reported": { kind: "fail", failure: "asReported" },
};

/**
 * A dash is "nothing changes"; "= x" ends the input with x, "reported" being what somebody else says; "! x" asks its
 * container to stop it, for x.
 */
const table = `
                               | queued       | claimed      | to time out  | to cancel    | delayed      | due          | done
claim                          | claimed      | -            | -            | -            | -            | -            | -
success                        | -            | = reported   | = reported   | = reported   | -            | -            | -
failure                        | -            | delayed      | delayed      | = terminated | -            | -            | -
failure, last                  | -            | = reported   | = timeout    | = terminated | -            | -            | -
terminated                     | -            | = reported   | delayed      | = terminated | -            | -            | -
terminated, last               | -            | = reported   | = timeout    | = terminated | -            | -            | -
interrupted                    | -            | queued       | delayed      | = terminated | -            | -            | -
interrupted, last              | -            | queued       | = timeout    | = terminated | -            | -            | -
success, of an earlier attempt | -            | -            | -            | -            | -            | -            | -
success, of a stranger         | -            | -            | -            | -            | -            | -            | -
lost                           | -            | queued       | delayed      | = terminated | -            | -            | -
lost, last                     | -            | queued       | = timeout    | = terminated | -            | -            | -
crashed                        | -            | queued       | delayed      | = terminated | -            | -            | -
crashed, last                  | -            | = failure    | delayed      | = terminated | -            | -            | -
stop: cancelled                | = terminated | ! terminated | ! terminated | -            | = terminated | = terminated | -
stop: too long                 | -            | ! timeout    | -            | -            | -            | -            | -
give back                      | -            | queued       | queued       | = terminated | -            | -            | -
give back, of a stranger       | -            | -            | -            | -            | -            | -            | -
give up                        | -            | -            | delayed      | = terminated | -            | -            | -
give up, last                  | -            | -            | = timeout    | = terminated | -            | -            | -
wake                           | -            | -            | -            | -            | -            | queued       | -
fail: stopped                  | = failure    | = failure    | = failure    | = failure    | = failure    | = failure    | -
fail: as reported              | = reported   | = reported   | = reported   | = reported   | = reported   | = reported   | -
`;

interface Cell {
  name: string;
  before: Input;
  event: InputEvent;
  expected: string;
  made: Step | undefined;
}

const [header = [], ...rows] = table
  .trim()
  .split("\n")
  .map((line) => line.split("|").map((text) => text.trim()));

const cells: readonly Cell[] = rows.flatMap(([eventName = "", ...row]) =>
  row.map((expected, column): Cell => {
    const stateName = header.slice(-row.length)[column] ?? "";
    const [before, event] = [states[stateName], events[eventName]];
    if (before === undefined || event === undefined) throw new Error(`${eventName} × ${stateName} is not known`);
    return { name: `${eventName} × ${stateName}`, before, event, expected, made: step(before, event, now) };
  }),
);

/** A step in the words of the table. */
function describeStep(made: Step | undefined): string {
  if (made === undefined) return "-";
  if ("ends" in made) return `= ${made.ends === "asReported" ? "reported" : made.ends.status}`;
  return made.next.ending === undefined ? made.next.state : `! ${made.next.ending.status}`;
}

describe("the table of an input's states", () => {
  it("has a row for each event and a column for each state", () => {
    assert.deepEqual(header.slice(-7), Object.keys(states));
    assert.deepEqual(
      rows.map(([name]) => name),
      Object.keys(events),
    );
    // A new state or event does not compile here before it stands in the table.
    const allStates: Record<InputState, true> = { queued: true, claimed: true, delayed: true, done: true };
    const allEvents: Record<InputEvent["kind"], true> = {
      claim: true,
      report: true,
      lose: true,
      stop: true,
      giveBack: true,
      giveUp: true,
      wake: true,
      fail: true,
    };
    assert.deepEqual(new Set(Object.values(states).map(({ state }) => state)), new Set(Object.keys(allStates)));
    assert.deepEqual(new Set(Object.values(events).map(({ kind }) => kind)), new Set(Object.keys(allEvents)));
  });

  it("is what the function makes", () => {
    const found = cells.map(({ name, made }) => `${name}: ${describeStep(made)}`);
    assert.deepEqual(
      found,
      cells.map(({ name, expected }) => `${name}: ${expected}`),
    );
  });
});

/** What an input is in each of its states, whatever it was before. */
const shapes: Record<InputState, (next: Input, before: Input, event: InputEvent) => void> = {
  queued: ({ containerId, claimedAt, queuedAt, dueAt, ending }) =>
    assert.deepEqual(
      [containerId, claimedAt, queuedAt, dueAt, ending],
      [undefined, undefined, now, undefined, undefined],
    ),
  delayed: ({ containerId, claimedAt, dueAt, ending }) =>
    assert.deepEqual([containerId, claimedAt, dueAt, ending], [undefined, undefined, now + 250, undefined]),
  claimed: ({ containerId, claimedAt, dueAt }, before, event) => {
    const expected = event.kind === "claim" ? [event.containerId, now] : [before.containerId, before.claimedAt];
    assert.deepEqual([containerId, claimedAt, dueAt], [...expected, undefined]);
  },
  done: ({ containerId, claimedAt, dueAt, ending }, before) =>
    assert.deepEqual(
      [containerId, claimedAt, dueAt, ending],
      [before.containerId, before.claimedAt, undefined, undefined],
      "its output says who had it last",
    ),
};

describe("in every cell of the table", () => {
  for (const { name, before, event, made } of cells) {
    if (made === undefined) continue;
    const { next } = made;
    it(`${name}: the input is whole`, () => {
      const kept = ({ id, callId, functionId, index, payload, method }: Input) => ({
        id,
        callId,
        functionId,
        index,
        payload,
        method,
      });
      assert.deepEqual(kept(next), kept(before));
      shapes[next.state](next, before, event);
      assert.equal("ends" in made, next.state === "done", "it ends with something exactly when it is done");
      assert.equal(
        next.attempt - before.attempt,
        event.kind === "claim" ? 1 : 0,
        "a claim is an attempt, nothing else",
      );
      assert.equal(next.failures - before.failures, next.state === "delayed" ? 1 : 0, "a failure is what is retried");
      const blamed = event.kind === "lose" && event.crashed && before.ending === undefined;
      assert.equal(next.crashes - before.crashes, blamed ? 1 : 0, "a crash is not a failure, nor the other way about");
    });
  }
});

describe("an input that is to be stopped", () => {
  const ask = (input: Input, failure: Failure): Input => step(input, { kind: "stop", failure }, now)?.next ?? input;

  it("knows since when, also when a cancellation follows a timeout", () => {
    const first = ask(claimed, late);
    assert.deepEqual(first.ending, { ...late, since: now });
    assert.deepEqual(ask(states["to time out"] ?? first, cancelled).ending, { ...cancelled, since: now - 10 });
  });

  it("ends with the words of the one who asked, not of the code", () => {
    const made = step(ask(claimed, cancelled), report("failure"), now);
    assert.deepEqual(made && "ends" in made && made.ends, cancelled);
  });
});

describe("an input whose containers crash", () => {
  const ends = (input: Input, event: InputEvent): Failure | undefined => {
    const made = step(input, event, now);
    return made !== undefined && "ends" in made && made.ends !== "asReported" ? made.ends : undefined;
  };

  it("ends with the number and the last reason", () => {
    const failure = ends({ ...claimed, crashes: 2 }, lose(true, 3));
    assert.match(failure?.message ?? "", /after 3 containers crashed.*exited with code 1\.$/);
  });

  it("has a limit that is a setting; without end means for ever", () => {
    assert.equal(ends({ ...claimed, crashes: 1_000 }, lose(true, Number.POSITIVE_INFINITY)), undefined);
    assert.notEqual(ends({ ...claimed, crashes: 0 }, lose(true, 1)), undefined);
  });

  it("goes back however often it is only lost", () => {
    assert.equal(step({ ...claimed, crashes: 2 }, lose(false, 3), now)?.next.state, "queued");
  });

  it("has as many failures left as before", () => {
    const next = step(claimed, lose(true, 3, noRetries), now)?.next;
    assert.deepEqual([next?.state, next?.failures, next?.crashes], ["queued", 1, 2]);
  });
});

/** What is shown while an app is published. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { publishReport } from "../src/publish-report.ts";
import { captureTerminal } from "./captured-terminal.ts";
import { ManualClock } from "./doubles.ts";

const env = { NO_COLOR: "1" };

it("tells of a step that takes long, of what it prints, and of its end", async () => {
  const { terminal, err } = captureTerminal(env);
  const clock = new ManualClock();
  const end = Promise.withResolvers<number>();
  const report = publishReport(terminal, false, clock);
  const step = report.step(
    "Making it",
    (line) => {
      line?.("printed\n");
      return end.promise;
    },
    (count) => `${count} parts`,
  );
  clock.advance(1500);
  end.resolve(2);
  assert.equal(await step, 2);
  assert.equal(err(), "printed\nMaking it …\n✓ Making it (2 parts): 1.5 s\n");
});

it("has no more to say of what is under way when something has failed, and begins anew after that", async () => {
  const { terminal, err } = captureTerminal(env);
  const clock = new ManualClock();
  const report = publishReport(terminal, false, clock);
  const other = Promise.withResolvers<void>();
  let show: ((text: string) => void) | undefined;
  const under = report.step("Making another", (line) => {
    show = line;
    return other.promise;
  });
  await assert.rejects(
    report.step("Making it", () => Promise.reject(new Error("no"))),
    /no/,
  );
  clock.advance(5000);
  show?.("printed");
  other.resolve();
  await under;
  assert.equal(err(), "");
  await report.step("Making it", async () => {});
  assert.equal(err(), "✓ Making it\n");
});

it("shows nothing of a quiet one's steps, and says so to who would print", async () => {
  const { terminal, err } = captureTerminal(env);
  await publishReport(terminal, true).step("Making it", async (line) => assert.equal(line, undefined));
  assert.equal(err(), "");
});

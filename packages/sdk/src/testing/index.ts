/**
 * `lydian/testing`: an app without a platform. Its functions are called as elsewhere, by remote(), map(), spawn() and the others,
 * and run in this process: arguments and results travel through the real encoder, errors come as RemoteErrors, retries are
 * made, dicts and queues are in memory, and the clock of schedules is the test's own.
 */
import type { App } from "../app.ts";
import { Client } from "../client/client.ts";
import { type Duration, seconds } from "../duration.ts";
import { tagOf } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import { begin, end } from "../live.ts";
import { definitionsOf } from "../publish/program.ts";
import { CallDesk } from "./call-desk.ts";
import { TestClient } from "./test-client.ts";
import { ScheduleClock } from "./schedule-clock.ts";

/** Stands for a platform, in the test's own process, until it is disposed of. */
export interface TestPlatform extends AsyncDisposable {
  /** The time that schedules go by. It stands until it is advanced. */
  readonly clock: {
    now(): Date;
    /** Runs what is due until then, one after the other, and waits for it; throws what one of them threw. */
    advance(duration: Duration): Promise<void>;
  };
}

/** What a test's platform has besides the app. */
export interface TestPlatformOptions {
  /** Other apps, whose functions are found by their names (`Func.fromName`). */
  others?: readonly App[];
  /** When the clock begins; now unless it is given. */
  now?: Date;
}

/** There is one at a time in a process: what is not told which platform to ask asks this one. */
let isThere = false;

/** `await using platform = await testPlatform(app)`. Classes' `[exit]` hooks run at its end. One at a time in a process. */
export async function testPlatform(
  app: App,
  { others = [], now = new Date() }: TestPlatformOptions = {},
): Promise<TestPlatform> {
  if (isThere) {
    throw new InvalidError("a test's platform is there already, and a process has one at a time", {
      hint: "give it all apps: testPlatform(app, { others: [other] }), or dispose of it before (await using)",
    });
  }
  const apps = [app, ...others];
  const desk = new CallDesk();
  for (const each of apps) for (const definition of await definitionsOf(each)) desk.add(each.name, definition);
  const client = new TestClient(desk);
  const clock = new ScheduleClock(now, desk.scheduled());
  const restore = Client.replaceUsual(client);
  isThere = true;
  for (const each of apps.flatMap(({ all }) => all)) {
    const functionIds = new Map(each.functions.map((definition) => [tagOf(definition), desk.idOf(definition)]));
    begin(each, { client, appId: `ap-${each.name}`, functionIds });
  }
  return {
    clock: {
      now: () => clock.now(),
      advance: async (duration) => {
        await clock.advance(seconds(duration, "duration"), (definition) => desk.runScheduled(client, definition));
      },
    },
    [Symbol.asyncDispose]: async () => {
      await desk.close();
      for (const each of apps.flatMap(({ all }) => all)) end(each);
      restore();
      isThere = false;
    },
  };
}

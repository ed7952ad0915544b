/** Shows what happens while an app is published and while it runs. */
import { type Clock, systemClock } from "@lydian/kit";
import type { Observer } from "lydian/publish";

import type { Terminal } from "./terminal.ts";

/** A step that takes longer says so before its end. */
const silentMs = 1000;

/** `isQuiet`: only what containers print, warnings and errors. */
export function publishReport(terminal: Terminal, isQuiet: boolean, clock: Clock = systemClock): Observer {
  const dim = (text: string): void => terminal.report(terminal.paintReport("dim", text));
  const steps = new Set<string>();
  /** Where one step fails, the others that are under way have no more to say: the error is the last word. */
  let failures = 0;
  return {
    async step(what, work, how) {
      if (isQuiet) return await work(undefined);
      const startedAt = clock.now();
      const before = failures;
      const speaks = (): boolean => failures === before;
      using _timer = clock.timer(silentMs, () => {
        if (speaks()) dim(`${what} …`);
      });
      try {
        const result = await work((text) => {
          if (speaks()) dim(text.trimEnd());
        });
        const line = how === undefined ? what : `${what} (${how(result)})`;
        if (!speaks() || steps.has(line)) return result; // several images, for one, are one line
        steps.add(line);
        const ms = clock.now() - startedAt;
        terminal.report(
          `${terminal.paintReport("green", "✓")} ${line}${ms < silentMs ? "" : `: ${(ms / 1000).toFixed(1)} s`}`,
        );
        return result;
      } catch (error) {
        failures++;
        throw error;
      }
    },
    log: ({ data, fileDescriptor }) => (fileDescriptor === 1 ? terminal.write(data) : terminal.writeReport(data)),
    warn: (text) => terminal.report(`${terminal.paintReport("yellow", "Warning:")} ${text}`),
  };
}

/** Shows what happens while an app is published and while it runs. */
import type { Observer } from "lydian/publish";

import type { Terminal } from "./terminal.ts";

/** A step that takes longer says so before its end. */
const silentMs = 1000;

/** `isQuiet`: only what containers print, warnings and errors. */
export function publishReport(terminal: Terminal, isQuiet: boolean): Observer {
  const dim = (text: string): void => terminal.report(terminal.paintReport("dim", text));
  const steps = new Set<string>();
  return {
    step(what) {
      const startedAt = performance.now();
      const timer = setTimeout(() => {
        if (!isQuiet) dim(`${what} …`);
      }, silentMs);
      return {
        done(how) {
          clearTimeout(timer);
          const line = how === undefined ? what : `${what} (${how})`;
          if (isQuiet || steps.has(line)) return; // several images, for one, are one line
          steps.add(line);
          const ms = performance.now() - startedAt;
          terminal.report(
            `${terminal.paintReport("green", "✓")} ${line}${ms < silentMs ? "" : `: ${(ms / 1000).toFixed(1)} s`}`,
          );
        },
      };
    },
    buildLine(text) {
      if (!isQuiet) dim(text.trimEnd());
    },
    log: ({ data, fileDescriptor }) => (fileDescriptor === 1 ? terminal.write(data) : terminal.writeReport(data)),
    warn: (text) => terminal.report(`${terminal.paintReport("yellow", "Warning:")} ${text}`),
  };
}

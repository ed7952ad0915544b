/** Who is told what happens while an app is published and while it runs. */
import type { TaskLogs } from "@lydian/contract";

export interface Observer {
  /** Something is done that takes a while; answers who is to be told of its end. */
  step(what: string): { done(how?: string): void };
  /** A line of an image's build. */
  buildLine(text: string): void;
  /** Output of a container. */
  log(item: TaskLogs): void;
  warn(text: string): void;
}

/** Of programs that run an app themselves: containers' output is this process's, and of the rest there is no word. */
export const plainObserver: Observer = {
  step: () => ({ done: () => {} }),
  buildLine: () => {},
  log: ({ data, fileDescriptor }) => {
    (fileDescriptor === 1 ? process.stdout : process.stderr).write(data);
  },
  warn: (text) => console.warn(`Warning: ${text}`),
};

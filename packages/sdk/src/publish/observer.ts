/** Who is told what happens while an app is published and while it runs. */
import type { TaskLogs } from "@lydian/contract";

/** Is given what builds print. */
export type OnLine = (text: string) => void;

export interface Observer {
  /**
   * Does work that takes a while, and tells of it until it ends, however that is; `how` says more of what came of it. The work is
   * given where to show what it prints; undefined where nobody is shown that.
   */
  step<T>(what: string, work: (line: OnLine | undefined) => Promise<T>, how?: (result: T) => string): Promise<T>;
  /** Output of a container. */
  log(item: TaskLogs): void;
  warn(text: string): void;
}

/** Of programs that run an app themselves: containers' output is this process's, and of the rest there is no word. */
export const plainObserver: Observer = {
  step: (_what, work) => work(undefined),
  log: ({ data, fileDescriptor }) => {
    (fileDescriptor === 1 ? process.stdout : process.stderr).write(data);
  },
  warn: (text) => console.warn(`Warning: ${text}`),
};

/** What a user's own code threw, as a terminal shows it: pure. */
import { dirname } from "node:path";
import { inspect } from "node:util";

import type { LydianError, RemoteError } from "lydian";

export interface Thrown {
  readonly text: string;
  /** Where it was thrown, what for, and where from that was called; empty where nothing of it is known. */
  readonly below: string;
  readonly hint: string | undefined;
}

/** Nobody who reads of this command's own frames, or of Node's, can do anything about them. */
const packageFolder = dirname(import.meta.dirname);

/** As Node shows it. */
export function describeOwn(error: unknown, commands = packageFolder): Thrown {
  const shown = withoutFramesOf(commands, inspect(error));
  const [text = "", ...below] = shown.replace(/^Error: /, "").split("\n");
  return { text, below: below.join("\n"), hint: undefined };
}

/** What the platform refused, or this package: the message, and the caller's own lines. */
export function describeRefusal({ message, stack = "", hint }: LydianError, commands = packageFolder): Thrown {
  return { text: message, below: withoutFramesOf(commands, framesIn(stack)), hint };
}

/** What a container threw: its frames, its cause, and the lines here that called it. */
export function describeRemote(error: RemoteError, commands = packageFolder): Thrown {
  const { message, remoteStack, stack = "", cause, hint } = error;
  const frames = remoteStack.startsWith(message) ? remoteStack.slice(message.length).replace(/^\n/, "") : remoteStack;
  const [local = ""] = stack.split("\n\nThrown remotely:\n");
  const called = withoutFramesOf(commands, framesIn(local));
  const parts = [
    frames,
    cause instanceof Error ? `  [cause]: ${inspect(cause).replaceAll("\n", "\n  ")}` : "",
    called === "" ? "" : `  called\n${called}`,
  ];
  return { text: message.replace(/^Error: /, ""), below: parts.filter((part) => part !== "").join("\n"), hint };
}

const isFrame = (line: string): boolean => /^ +at /.test(line);

const framesIn = (stack: string): string => stack.split("\n").filter(isFrame).join("\n");

function withoutFramesOf(folder: string, text: string): string {
  const isOwn = (line: string): boolean =>
    isFrame(line) && (line.includes(`${folder}/`) || /\/node_modules\/commander\/|[( ]node:/.test(line));
  const kept: string[] = [];
  for (const line of text.split("\n")) {
    if (!isOwn(line)) kept.push(line);
    else if (line.endsWith(" {")) kept.push(`${kept.pop()} {`); // of the error's fields, which follow its last frame
  }
  return kept.join("\n");
}

/** Errors as callers see them. The platform's own keep the names that the public clients have for them. */
import { PlatformError } from "@lydian/kit/errors";

/** The root of what this package throws: a message that says what happened to which thing, and often a `hint` what to do. */
export class LydianError extends PlatformError {
  constructor(...given: ConstructorParameters<typeof PlatformError>) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = mostFrames;
    super(...given);
    Error.stackTraceLimit = stackTraceLimit;
    this.stack = withoutFramesIn(import.meta.dirname, this.stack ?? "");
  }
}

/** Enough to reach the caller's code behind this package's own. */
const mostFrames = 50;

/** Of a stack: the message and the frames that are not in this folder, whose reader can do nothing about them. */
function withoutFramesIn(folder: string, stack: string): string {
  const isOwn = (line: string): boolean => line.startsWith("    at ") && line.includes(`${folder}/`);
  return stack
    .split("\n")
    .filter((line) => !isOwn(line) && !/^ {4}at .*\(?node:internal/.test(line))
    .join("\n");
}

/** Something was asked for that makes no sense, such as an option out of its range. */
export class InvalidError extends LydianError {}
/** A named function, class, secret or other thing does not exist. */
export class NotFoundError extends LydianError {}
/** It is there already. */
export class AlreadyExistsError extends LydianError {}
/** It is not in the state that the request needs. */
export class ConflictError extends LydianError {}
/** The token is missing or unknown. */
export class AuthError extends LydianError {}
/** The caller may not do this. */
export class PermissionDeniedError extends LydianError {}
/** A limit of the platform is reached. */
export class ResourceExhaustedError extends LydianError {}
/** This platform does not have what was asked for. */
export class UnimplementedError extends LydianError {}
/** The platform cannot be reached, or did not answer in time. */
export class ConnectionError extends LydianError {}
/** The platform failed at something that is its own affair. */
export class InternalError extends LydianError {}
/** A value cannot travel; the message names the path to it, such as `result.user.save is a function`. */
export class SerializationError extends LydianError {}
/** Nothing came in the time that was given. */
export class TimeoutError extends LydianError {}
/** A function ran for longer than its `timeout`. */
export class FunctionTimeoutError extends TimeoutError {}
/** The result of a call is kept no longer. */
export class OutputExpiredError extends TimeoutError {}
/** The platform lost an input through no fault of its code. */
export class InternalFailure extends LydianError {}
/** A queue had no item in the time that was given. */
export class QueueEmptyError extends LydianError {}
/** A queue had no room in the time that was given. */
export class QueueFullError extends LydianError {}

/** What a function threw, as far as it could travel. */
export interface RemoteFailure {
  /** The error's name, such as "TypeError" or, of Python, "ValueError". Empty when it cannot be told. */
  readonly name: string;
  /** What it said. */
  readonly message: string;
  /** A stack of JavaScript, or a traceback of Python; empty when there is none. */
  readonly stack: string;
  /** Names of its classes, its own first. */
  readonly classes: readonly string[];
  /** The error's own fields. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What it was thrown for; undefined when it says nothing of that. */
  readonly cause: unknown;
}

/** A function threw, or was cancelled. Its stack ends with the remote one. */
export class RemoteError extends LydianError {
  readonly #failure: RemoteFailure; // not shown where the error is printed, which says it all

  constructor(text: string, failure: Partial<RemoteFailure> = {}) {
    const { name = "", message = text, stack = "", data = {}, classes = [], cause } = failure;
    const { hint } = data;
    super(text, { cause, ...(typeof hint === "string" && { hint }) });
    this.#failure = { name, message, stack, data, classes, cause };
    if (this.remoteStack !== "") this.stack = `${this.stack}\n\nThrown remotely:\n${this.remoteStack}`;
  }

  /** Whether the error is of one of these classes or of one below, by name: `error.matches("ValueError")`. */
  matches(...names: string[]): boolean {
    return names.some((name) => name === this.remoteName || this.#failure.classes.includes(name));
  }

  /** The name of its class: "ValueError", "RangeError". */
  get remoteName(): string {
    return this.#failure.name;
  }

  /** What it said. */
  get remoteMessage(): string {
    return this.#failure.message;
  }

  /** Where it was thrown: a stack of JavaScript with the sources' own lines, or a traceback of Python. */
  get remoteStack(): string {
    return this.#failure.stack;
  }

  /** Own fields of the error that was thrown. */
  get data(): Readonly<Record<string, unknown>> {
    return this.#failure.data;
  }
}

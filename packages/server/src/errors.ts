/** The one table of the server's errors, and how anything that was thrown becomes an answer for its reader. */
import { randomBytes } from "node:crypto";

import { hasCode, type Logger, PlatformError } from "@lydian/kit";
import type { Any } from "@bufbuild/protobuf/wkt";

import { type Hint, hintFor, type Language } from "./wording.ts";

/**
 * What each code means on the wire. `grpc` is the status number, `http` the status of the same fault over HTTP, `fault`
 * whose it is: the caller's, the platform's, or nobody's (it passes, or was asked for).
 *
 * The public clients repeat a call on 1, 2, 4, 13 and 14, so a fault that lasts must not use one of those.
 */
export const errorTable = {
  cancelled: { grpc: 1, http: 499, fault: "nobody" },
  invalidArgument: { grpc: 3, http: 400, fault: "caller" },
  deadlineExceeded: { grpc: 4, http: 504, fault: "nobody" },
  notFound: { grpc: 5, http: 404, fault: "caller" },
  alreadyExists: { grpc: 6, http: 409, fault: "caller" },
  permissionDenied: { grpc: 7, http: 403, fault: "caller" },
  resourceExhausted: { grpc: 8, http: 429, fault: "nobody" },
  /** Not RESOURCE_EXHAUSTED, which passes: the clients repeat a put until a queue has room. */
  tooLarge: { grpc: 3, http: 413, fault: "caller" },
  failedPrecondition: { grpc: 9, http: 400, fault: "caller" },
  aborted: { grpc: 10, http: 409, fault: "nobody" },
  outOfRange: { grpc: 11, http: 416, fault: "caller" },
  unimplemented: { grpc: 12, http: 501, fault: "caller" },
  /** Something unexpected; never thrown on purpose. */
  internal: { grpc: 13, http: 500, fault: "platform" },
  unavailable: { grpc: 14, http: 503, fault: "nobody" },
  unauthenticated: { grpc: 16, http: 401, fault: "caller" },
  /** A link whose time is over. */
  gone: { grpc: 9, http: 410, fault: "caller" },
  /** The disk is full: for the operator, and repeating soon does not help. */
  diskFull: { grpc: 8, http: 507, fault: "platform" },
} as const satisfies Record<string, { grpc: number; http: number; fault: "caller" | "platform" | "nobody" }>;

export type ErrorCode = keyof typeof errorTable;

export interface FailOptions {
  /** What to do next: one sentence. */
  hint?: Hint;
  cause?: unknown;
  /** gRPC status details, such as those that rpc/adapter-status.ts makes; they do not travel over HTTP. */
  details?: readonly Any[];
  /** The caller may ask again after this time, in seconds: the clients then do so by themselves. */
  retryAfter?: number;
}

/** An answer other than success, written for its reader; `code` says which status it becomes. */
export class ServerError extends PlatformError {
  readonly code: ErrorCode;
  readonly details: readonly Any[];
  readonly retryAfter: number | undefined;

  readonly #hint: Hint | undefined;

  constructor(code: ErrorCode, message: string, { hint, ...options }: FailOptions = {}) {
    super(message, { ...options, ...(hint !== undefined && { hint: hintFor("python", hint) }) });
    this.#hint = hint;
    this.code = code;
    this.details = options.details ?? [];
    this.retryAfter = options.retryAfter;
  }

  /** What the reader sees: the message, then the hint. */
  get text(): string {
    return this.textFor("python");
  }

  textFor(language: Language): string {
    return textOf(this.message, this.#hint === undefined ? undefined : hintFor(language, this.#hint));
  }
}

/** Makes an error to throw: `throw fail("notFound", "App ap-… does not exist.", { hint: "List them with …." })`. */
export function fail(code: ErrorCode, message: string, options?: FailOptions): ServerError {
  return new ServerError(code, message, options);
}

/** For what is larger than a limit. The Python clients make their RequestSizeError of an answer that has these words. */
export function tooLarge(message: string, options?: FailOptions): ServerError {
  return fail("tooLarge", `${message} (status = '413').`, options);
}

/** Whether something thrown is the server's error with this code. */
export function isFail(thrown: unknown, code: ErrorCode): thrown is ServerError {
  return thrown instanceof ServerError && thrown.code === code;
}

/**
 * The answer for anything that was thrown. What was not written for people is logged with its stack under an incident
 * id, and the reader gets only that id.
 */
export function toServerError(thrown: unknown, logger: Logger, during: string): ServerError {
  if (thrown instanceof ServerError) return thrown;
  if (hasCode(thrown, "ENOSPC", "EDQUOT")) {
    logger.error({ err: thrown, during }, "the disk is full");
    return fail("diskFull", "The server's disk is full.", {
      hint: "Ask the server's operator to make room.",
      cause: thrown,
    });
  }
  if (thrown instanceof PlatformError) {
    // Written for people, but by code that knows no status. Not INTERNAL: the clients would repeat it.
    logger.warn({ err: thrown, during }, "a request failed");
    return fail("failedPrecondition", thrown.message, {
      cause: thrown,
      ...(thrown.hint !== undefined && { hint: thrown.hint }),
    });
  }
  const incident = randomBytes(6).toString("hex");
  logger.error({ err: thrown, incident, during }, "unexpected error");
  return fail("internal", `Something went wrong inside the server (incident ${incident}).`, {
    hint: "The server's log has the details under that id.",
    cause: thrown,
  });
}

function textOf(message: string, hint: string | undefined): string {
  return hint === undefined
    ? message
    : `${sentence(message)} ${sentence(hint.charAt(0).toUpperCase() + hint.slice(1))}`;
}

function sentence(text: string): string {
  return /[.!?:]$/.test(text) ? text : `${text}.`;
}

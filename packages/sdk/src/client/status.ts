/** How calls of gRPC end: the numbers of the statuses, and the error that a call ends with which did not succeed. */
import type http2 from "node:http2";

/** The numbers of gRPC's statuses. */
export const code = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** The end of a call that did not succeed. */
export class StatusError extends Error {
  readonly code: number;
  readonly #trailers: http2.IncomingHttpHeaders; // not shown where the error is printed

  constructor(code: number, message: string, trailers: http2.IncomingHttpHeaders = {}) {
    super(message);
    this.name = "StatusError";
    this.code = code;
    this.#trailers = trailers;
  }

  /** The answer's trailers. */
  get trailers(): http2.IncomingHttpHeaders {
    return this.#trailers;
  }
}

export interface CallOptions {
  /** In addition to those of the connection. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long the call may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export function throwUnlessOk(path: string, trailers: http2.IncomingHttpHeaders): void {
  const { "grpc-status": status, "grpc-message": text, ":status": http } = trailers;
  if (status === "0") return;
  if (status === undefined) throw new StatusError(code.unavailable, `${path} was answered by HTTP ${String(http)}`);
  throw new StatusError(Number(status), readText(String(text ?? "")), trailers);
}

/** Texts are percent-encoded, and one that is not well-formed is shown as it is. */
function readText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function lateError(path: string, timeoutMs: number): StatusError {
  return new StatusError(code.deadlineExceeded, `${path} was not answered within ${Math.ceil(timeoutMs)} ms`);
}

export function abortError(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error("the call was stopped", { cause: reason });
}

export function unreachable(error: unknown): StatusError {
  return new StatusError(code.unavailable, error instanceof Error ? error.message : String(error));
}

/** What answers web requests: a fetch function, anything that has one (Hono, Elysia, H3), or what makes either in the container. */
import { InvalidError } from "../errors.ts";

/** Answers a request. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/** An application with a fetch function. */
export interface FetchApplication {
  /** Answers a request. */
  fetch(request: Request): Response | Promise<Response>;
}

/** What answers the requests of a web function: a handler, something with `fetch`, or a function that makes one in the container. */
export type WebTarget =
  | FetchHandler
  | FetchApplication
  | (() => FetchHandler | FetchApplication | Promise<FetchHandler | FetchApplication>);

/** One handler for all requests. What is a factory shows by what it returns: no Response, but what makes them. */
export function handlerOf(target: WebTarget): FetchHandler {
  if (typeof target === "object") return (request) => target.fetch(request);
  let made: Promise<FetchHandler> | undefined;
  return async (request) => {
    if (made !== undefined) return await (await made)(request);
    const first: unknown = await (target as (request: Request) => unknown)(request);
    if (first instanceof Response) return first;
    made ??= Promise.resolve(asHandler(first));
    return await (
      await made
    )(request);
  };
}

function asHandler(value: unknown): FetchHandler {
  if (typeof value === "function") return value as FetchHandler;
  if (typeof value === "object" && value !== null && "fetch" in value && typeof value.fetch === "function") {
    const application = value as FetchApplication;
    return (request) => application.fetch(request);
  }
  throw new InvalidError("a web function returned neither a Response nor something with fetch(request)");
}

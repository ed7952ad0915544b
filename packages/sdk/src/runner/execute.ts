/** Runs the code of one input, or of the inputs of one batch, in the context that says whose it is. */
import { type FunctionGetInputsItem, FunctionCallInvocationType as Invocation } from "@lydian/contract";

import { inputContext } from "../calls/context.ts";
import type { Client } from "../client/client.ts";
import { decodeArguments } from "../values/arguments.ts";
import { getBlob } from "../values/payload.ts";
import type { FetchHandler } from "../web/handler.ts";
import { ItemStream } from "./item-stream.ts";
import type { Scope } from "./web-messages.ts";
import { answerRequest } from "./web-request.ts";
import { answerSocket } from "./web-socket.ts";
import { cancelled, failed, generated, type Outcome, succeeded } from "./results.ts";

type AnyFunction = (...args: unknown[]) => unknown;

/** What answers an input. */
export interface Code {
  readonly handler: AnyFunction;
  readonly isGenerator: boolean;
  /** It is a fetch handler, and its one argument what the platform knows of the request. */
  readonly isWeb: boolean;
  /** It takes a list for each argument, and answers one. */
  readonly isBatched: boolean;
}

export interface Running {
  readonly items: readonly FunctionGetInputsItem[];
  readonly stop: AbortController;
}

/** One outcome for each input. Never rejects: `log` is told what was thrown. */
export async function execute(
  client: Client,
  code: Code,
  { items, stop }: Running,
  log: (thrown: unknown) => void = () => {},
): Promise<readonly Outcome[]> {
  const [first] = items;
  if (first === undefined) return [];
  const uncaught = Promise.withResolvers<never>();
  uncaught.promise.catch(() => {}); // raced below; or nothing was thrown beside the function
  const { inputId, functionCallId } = first;
  const context = { inputId, functionCallId, signal: stop.signal, fail: uncaught.reject };
  try {
    const args = await Promise.all(items.map((item) => argumentsOf(client, item)));
    const work = inputContext.run(context, async () => {
      if (code.isBatched) return await runBatch(client, code.handler, items, args, log);
      if (code.isWeb) {
        const request = { scope: args[0]?.[0] as Scope, callId: functionCallId, signal: stop.signal };
        const answer = request.scope.type === "websocket" ? answerSocket : answerRequest;
        return [await answer(client, code.handler as FetchHandler, request)];
      }
      const result = code.handler(...(args[0] ?? []));
      if (code.isGenerator) return [await drain(client, result, functionCallId, stop.signal)];
      return [await succeeded(client, await result, invocationOf(first))];
    });
    return await Promise.race([work, uncaught.promise]);
  } catch (error) {
    const { signal } = stop;
    if (signal.aborted) return items.map(() => cancelled(String(signal.reason)));
    const isLeft = code.isWeb && error instanceof Error && error.name === "AbortError"; // by its caller
    if (!isLeft) inputContext.run(context, log, error);
    return items.map(() => failed(error));
  }
}

async function argumentsOf(client: Client, { input }: FunctionGetInputsItem): Promise<unknown[]> {
  const given = input?.argsOneof;
  if (given?.case === "argsBlobId") return decodeArguments(await getBlob(client, given.value));
  return decodeArguments(given?.value ?? new Uint8Array());
}

const invocationOf = ({ functionCallInvocationType: type }: FunctionGetInputsItem): "sync" | "async" =>
  type === Invocation.ASYNC || type === Invocation.ASYNC_LEGACY ? "async" : "sync";

/** The handler takes a list for each argument, and answers one. */
async function runBatch(
  client: Client,
  handler: AnyFunction,
  items: readonly FunctionGetInputsItem[],
  args: readonly (readonly unknown[])[],
  log: (thrown: unknown) => void,
): Promise<readonly Outcome[]> {
  const count = Math.max(0, ...args.map(({ length }) => length));
  const results = await handler(...Array.from({ length: count }, (_, at) => args.map((each) => each[at])));
  if (!Array.isArray(results) || results.length !== items.length) {
    const found = Array.isArray(results) ? `${results.length} results` : typeof results;
    throw new TypeError(
      `a batched function has to return an array with one result for each of its ${items.length} inputs; it returned ${found}`,
    );
  }
  return await Promise.all(
    items.map(async (item, at) => {
      const result: unknown = results[at];
      if (result instanceof Error) log(result);
      return result instanceof Error ? failed(result) : await succeeded(client, result, invocationOf(item));
    }),
  );
}

async function drain(client: Client, generator: unknown, callId: string, signal: AbortSignal): Promise<Outcome> {
  const isIterable =
    typeof generator === "object" &&
    generator !== null &&
    (Symbol.asyncIterator in generator || Symbol.iterator in generator);
  if (!isIterable)
    throw new TypeError("the function is defined as a generator, and returned nothing that can be gone through");
  const stream = new ItemStream(client, callId);
  for await (const item of generator as AsyncIterable<unknown>) {
    signal.throwIfAborted(); // leaves the loop, so that the generator's `finally` runs
    await stream.give(item);
  }
  await stream.flush();
  return generated(stream.count);
}

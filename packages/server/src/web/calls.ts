/** The calls that answer web requests: each has one input, in the store as any other, and an exchange in memory. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  FunctionInputSchema,
  type GenericResult,
  GenericResult_GenericStatus as Status,
  GenericResultSchema,
} from "@lydian/contract";
import type { Bells, Clock, Logger, NewId } from "@lydian/kit";

import { submitCall } from "../calls/submit.ts";
import { transition } from "../calls/transition.ts";
import type { Limits } from "../config.ts";
import { callBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { Failure } from "../domain/input.ts";
import type { Store, Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { bindFunction } from "../functions/bind.ts";
import { decodeDefinition } from "../functions/definition.ts";
import type { WebAddress } from "../domain/web-address.ts";
import { classArguments } from "./arguments.ts";
import { encodeMessage, inputOf, type WebRequest } from "./asgi.ts";
import { type Ended, Exchange } from "./exchange.ts";

export interface WebCallsDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  limits: Limits;
  log: Logger;
}

/** The store's bell wakes whoever waits for an end; this is only how long one sleeps at a time. */
const lookAgainMs = 3_600_000;

const hungUp: Failure = { status: "terminated", message: "Its caller hung up." };

export class WebCalls {
  readonly #deps: WebCallsDeps;
  readonly #exchanges = new Map<string, Exchange>();

  constructor(deps: WebCallsDeps) {
    this.#deps = deps;
  }

  /** What was open when the server before this one died has no caller any more. */
  async start(): Promise<void> {
    const { store } = this.#deps;
    const open = await store.read((tx) => tx.calls.openOfWeb());
    if (open.length === 0) return;
    await store.write(async (tx) => {
      for (const { id } of open) await hangUp(tx, id, this.#context());
    });
  }

  /** Throws a ServerError when the function can take no request. Whoever has the exchange closes or abandons it. */
  async begin(address: WebAddress, request: WebRequest): Promise<Exchange> {
    const exchange = new Exchange(this.#deps.newId("fc"), address.functionId, request);
    try {
      await this.call(exchange, address);
      return exchange;
    } catch (error) {
      this.#forget(exchange, request.kind); // it was undone
      throw error;
    }
  }

  /** It waits for a container, as a call. */
  async call(exchange: Exchange, { functionId, method }: Pick<WebAddress, "functionId" | "method">): Promise<void> {
    const { limits } = this.#deps;
    const { request, callId } = exchange;
    if (request === undefined) throw new Error("a request that nobody has made is not called");
    const inputs = [{ index: 0, payload: toBinary(FunctionInputSchema, inputOf(request, method)), method }];
    const submission = { callId, shape: "web", invocation: "sync", parentInputId: "", inputs } as const;
    exchange.isCall = true;
    this.adopt(exchange); // before its container can ask for it, and before it can end
    // Not waited for: a power cut that undoes it ends the caller's connection, too.
    await this.#deps.store.note(async (tx) => {
      const context = this.#context();
      const called = method === "" ? functionId : await variantFor(tx, functionId, request, limits, context);
      await submitCall(tx, { ...submission, functionId: called }, limits, context);
      void this.#follow(exchange);
    });
  }

  /** Its container finds it from here on. */
  adopt(exchange: Exchange): void {
    this.#exchanges.set(exchange.callId, exchange);
  }

  /** This container has claimed the call. */
  claimed(callId: string, containerId: string): void {
    const exchange = this.#exchanges.get(callId);
    if (exchange !== undefined) exchange.holder = containerId;
  }

  find(callId: string): Exchange | undefined {
    return this.#exchanges.get(callId);
  }

  /**
   * The answer is complete, or the web socket has been closed; the code may go on behind it, and hears that its caller is gone
   * if it asks. `closeCode` is a web socket's.
   */
  close(exchange: Exchange, kind: WebRequest["kind"], closeCode?: number): void {
    this.#forget(exchange, kind, closeCode);
  }

  /** This container's code goes on with a web socket that is closed, as if it had not heard of that: it is asked to end. */
  async endLate(callId: string, containerId: string): Promise<void> {
    await this.#deps.store.note(async (tx) => {
      const [input] = await tx.inputs.ofCall(callId, 1);
      if (input?.containerId === containerId) await hangUp(tx, callId, this.#context());
    });
  }

  /** The caller is gone before it had its answer: the code hears of it, and is asked to end. */
  async abandon(exchange: Exchange, kind: WebRequest["kind"]): Promise<void> {
    if (exchange.over.signal.aborted) return;
    exchange.isGivenUp = true;
    this.#forget(exchange, kind);
    if (exchange.ended !== undefined || !exchange.isCall) return;
    const { store, log } = this.#deps;
    try {
      await store.note((tx) => hangUp(tx, exchange.callId, this.#context()));
    } catch (error) {
      log.error({ err: error, call: exchange.callId }, "a web request that was given up goes on");
    }
  }

  #forget(exchange: Exchange, kind: WebRequest["kind"], closeCode = 1006): void {
    if (exchange.over.signal.aborted) return;
    this.#exchanges.delete(exchange.callId);
    void exchange.say(
      kind === "http"
        ? encodeMessage({ case: "httpDisconnect", value: {} })
        : encodeMessage({ case: "websocketDisconnect", value: { code: closeCode } }),
    );
    exchange.close();
  }

  async #follow(exchange: Exchange): Promise<void> {
    const { store, bells, clock, log } = this.#deps;
    const { callId } = exchange;
    let isNew = true; // there is nothing to see yet
    const look = async (): Promise<Ended | undefined> => {
      if (isNew) return void (isNew = false);
      const [output] = await store.read((tx) => tx.outputs.after(callId, 0, 1));
      return output && endedBy(fromBinary(GenericResultSchema, output.result));
    };
    const options = { clock, waitMs: lookAgainMs, signal: exchange.over.signal };
    try {
      let ended: Ended | undefined;
      while (ended === undefined) ended = await bells.until([callBell(callId)], look, options);
      exchange.end(ended);
    } catch (error) {
      if (exchange.over.signal.aborted) return; // nobody waits any more
      log.error({ err: error, call: callId }, "the end of a web request could not be looked up");
      exchange.end("lost");
    }
  }

  #context(): Context {
    return { now: this.#deps.clock.now(), newId: this.#deps.newId };
  }
}

/** A class with arguments has a variant for each set of them, which the request's query says. */
async function variantFor(
  tx: Tx,
  functionId: string,
  { target }: WebRequest,
  { webVariants }: Limits,
  context: Context,
): Promise<string> {
  const record = await tx.functions.get(functionId);
  if (record === undefined) throw fail("notFound", `Function ${functionId} does not exist.`);
  const parameters = classArguments(decodeDefinition(record), target.slice(target.indexOf("?") + 1));
  if (parameters === undefined) return functionId;
  const variant = await bindFunction(tx, { functionId, parameters, options: undefined }, context);
  const isNew = variant.createdAt === context.now;
  if (isNew && (await tx.functions.variants(functionId)).length > webVariants) {
    throw fail("resourceExhausted", `Class "${record.name}" has had ${webVariants} different sets of arguments.`);
  }
  return variant.id;
}

/**
 * What waits ends at once. What runs is asked to end, but its container is not ended for it: it may be at work for others,
 * and code that computes in a thread cannot be stopped.
 */
async function hangUp(tx: Tx, callId: string, context: Context): Promise<void> {
  for (const input of await tx.inputs.cancellable(callId, 1)) {
    await transition(tx, input, { kind: "stop", failure: hungUp, sparesContainer: true }, context);
  }
}

export function endedBy({ status, traceback, exception }: GenericResult): Ended {
  switch (status) {
    case Status.SUCCESS:
      return "finished";
    case Status.TIMEOUT:
      return "timeout";
    case Status.TERMINATED:
      return "stopped";
    case Status.FAILURE:
      // The platform's own word about it has no traceback.
      return traceback === "" && exception !== "" ? "lost" : "failed";
    default:
      return "failed";
  }
}

/** Async iterables over gRPC streams: one message at a time, back-pressure both ways, ends that are always noticed. */
import { setImmediate } from "node:timers/promises";

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";

import { fail } from "../errors.ts";
import type { GrpcCall } from "../grpc/call.ts";
import type { OpenCall } from "./adapter-call.ts";

/**
 * Sends what `messages` yields until it ends, waiting whenever the client reads more slowly. When the call is cancelled
 * the generator's `return()` is called; one that sleeps must watch the call's signal, or it stays asleep.
 */
export async function sendAll<T>(
  messages: AsyncIterable<T>,
  encode: (message: T) => Uint8Array,
  wire: Pick<GrpcCall<unknown>, "send" | "drained">,
  call: OpenCall,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  const { signal } = call;
  // A rejection of this return() is also seen by the next() that the loop is waiting for, or comes from clean-up code
  // after it; the call has no other reader left, so it is rethrown below.
  let returned: Promise<unknown> | undefined;
  const stop = (): void => {
    returned ??= iterator.return?.();
    returned?.catch(() => {});
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    for (;;) {
      const step = await iterator.next();
      if (step.done === true) return;
      if (signal.aborted) break;
      if (!wire.send(encode(step.value))) await wire.drained();
    }
    await returned;
  } catch (error) {
    stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The client's messages; throws the signal's reason when the client is lost, INVALID_ARGUMENT for a broken message. */
export async function* receiveAll<D extends DescMessage>(
  schema: D,
  wire: Pick<GrpcCall<unknown>, "messages">,
  call: OpenCall,
): AsyncGenerator<MessageShape<D>> {
  try {
    for await (const bytes of wire.messages()) yield decode(schema, bytes, call.rpc);
    // A connection that is lost looks like the client's clean end first; that it was cut is known a moment later.
    await setImmediate();
  } catch (error) {
    call.signal.throwIfAborted();
    throw error;
  }
  call.signal.throwIfAborted();
}

/** Decodes a request. What cannot be decoded now never can be, so the status is one that clients do not repeat. */
export function decode<D extends DescMessage>(schema: D, bytes: Uint8Array, rpc: string): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw fail("invalidArgument", `The request of ${rpc} is not a valid ${schema.typeName}.`, { cause });
  }
}

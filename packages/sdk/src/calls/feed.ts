/** Sends the inputs of a map as they come, no more at a time than the platform takes. */
import { ModalClient } from "@lydian/contract";

import { longPatienceMs } from "./await.ts";
import { inputOf, type OpenCall, type Waits } from "./submit.ts";
import type { Target } from "./target.ts";

/** In one request. */
const mostTogether = 49;
/** Under way at a time, so that the next inputs are made ready while the platform writes those before. */
const mostRequests = 4;

export type Inputs<T> = Iterable<T> | AsyncIterable<T>;

export interface Feeding {
  readonly target: Target;
  readonly call: OpenCall;
  readonly waits: Waits;
  /** The arguments of each input. */
  readonly inputs: Inputs<readonly unknown[]>;
  /** Resolves when this many inputs may be without an output, the next one included. */
  readonly room: (sent: number) => Promise<void> | undefined;
  /** Is told how many have been sent so far. */
  readonly sent: (count: number) => void;
  readonly signal: AbortSignal;
}

/** Answers how many there were. What comes at once goes together; what comes slowly waits for nothing. */
export async function feed({ target, call, waits, inputs, room, sent, signal }: Feeding): Promise<number> {
  let count = 0;
  let arrived = 0;
  let pending: { idx: number; args: readonly unknown[] }[] = [];
  const sending = new Set<Promise<unknown>>();
  const send = async (together: typeof pending): Promise<void> => {
    const items = await Promise.all(
      together.map(async ({ idx, args }) => ({ idx, input: await inputOf(target, args, waits) })),
    );
    const request = { functionId: target.functionId, functionCallId: call.callId, inputs: items };
    await target.client.ask(ModalClient.method.functionPutInputs, request, { patienceMs: longPatienceMs, signal });
    sent((arrived += together.length));
  };
  /** Sends what is pending; resolves when no more requests than these are under way. */
  const flush = async (atMost: number): Promise<void> => {
    const together = pending;
    pending = [];
    if (together.length > 0) {
      const request: Promise<unknown> = send(together).then(() => sending.delete(request));
      request.catch(() => {}); // told to who waits next
      sending.add(request);
    }
    while (sending.size > atMost) await Promise.race(sending);
  };
  const add = async (args: readonly unknown[]): Promise<void> => {
    const wait = room(count);
    if (wait !== undefined) {
      await flush(0);
      await wait;
    }
    pending.push({ idx: count++, args });
    if (pending.length === mostTogether) await flush(mostRequests - 1);
  };
  if (Symbol.iterator in inputs) for (const args of inputs) await add(args);
  else await eachAsync(inputs, add, () => flush(0));
  await flush(0);
  return count;
}

/** While the next one is not there yet, those before it are sent. */
async function eachAsync(
  inputs: AsyncIterable<readonly unknown[]>,
  add: (args: readonly unknown[]) => Promise<void>,
  flush: () => Promise<void>,
): Promise<void> {
  const iterator = inputs[Symbol.asyncIterator]();
  const idle = Symbol("idle");
  try {
    for (;;) {
      const next = iterator.next();
      const soon = new Promise<typeof idle>((resolve) => setImmediate(resolve, idle));
      if ((await Promise.race([next, soon])) === idle) await flush();
      const { done, value } = await next;
      if (done === true) return;
      await add(value);
    }
  } finally {
    await iterator.return?.();
  }
}

/** One call whose caller waits for it. */
import { awaitValue, type Awaiting, valueIn } from "./await.ts";
import { items } from "./generate.ts";
import { callAndWait, callOnce, cancel } from "./submit.ts";
import type { Target } from "./target.ts";

/** The value; throws a RemoteError with what the function threw. The signal cancels the call. */
export async function callRemote(target: Target, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
  const call = await callAndWait(target, args, signal);
  if (call.output !== undefined) return await valueIn(target.client, call.output);
  return await cancelledBy(signal, target, call.callId, awaitValue(awaiting(target, call, signal)));
}

/** The items as they come. Leaving the loop cancels the call, and so does the signal. */
export async function* generateRemote(
  target: Target,
  args: readonly unknown[],
  signal?: AbortSignal,
): AsyncGenerator<unknown, void> {
  const call = await callOnce(target, args, "sync", signal);
  let isOver = false;
  try {
    yield* items(awaiting(target, call, signal));
    isOver = true;
  } catch (error) {
    isOver = signal?.aborted !== true;
    throw error;
  } finally {
    if (!isOver) await cancel(target, call.callId);
  }
}

function awaiting({ client }: Target, { callId }: { callId: string }, signal?: AbortSignal): Awaiting {
  return { client, callId, index: 0, isOnly: true, signal };
}

async function cancelledBy<T>(
  signal: AbortSignal | undefined,
  target: Target,
  callId: string,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (signal?.aborted === true) await cancel(target, callId);
    throw error;
  }
}

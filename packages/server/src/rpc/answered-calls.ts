/** Calls of one input that are submitted and answered by one request. */
import { type call as wire, FunctionMapResponseSchema } from "@lydian/contract";
import { fromBinary } from "@bufbuild/protobuf";

import { Acknowledgements } from "../calls/acknowledgements.ts";
import { awaitOutputs } from "../calls/await.ts";
import { cancelCall } from "../calls/cancel.ts";
import { submitCall } from "../calls/submit.ts";
import { fail } from "../errors.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { outputItem, submissionOf } from "./calls.ts";
import { type Platform, contextOf, onceThere, replyKey } from "./platform.ts";

export function answeredCallRpcs(platform: Platform): Rpcs<typeof wire.Calls> {
  const { store } = platform;
  const acknowledgements = new Acknowledgements(platform);
  const { limits, times } = platform.config;
  return {
    call: userOrContainer(async ({ call: asked, holdMs, cancel }, call) => {
      if (cancel) return { functionCallId: await takeBack(platform, call) };
      if (asked?.pipelinedInputs.length !== 1)
        throw fail("invalidArgument", "A call that is answered at once has one input.");
      // Its caller waits: what a power cut undoes is submitted again by the repeated request, or nobody waits any more.
      const submitted = await onceThere(
        platform,
        call,
        FunctionMapResponseSchema,
        async (tx, context) => {
          const { call: made } = await submitCall(tx, submissionOf(asked), limits, context);
          return { functionCallId: made.id };
        },
        "note",
      );
      const callId = submitted?.functionCallId ?? "";
      const query = { callId, after: 0, range: undefined, atMost: 1, waitMs: Math.min(holdMs, times.claimHold) };
      const [output] = (await awaitOutputs(platform, query, call.signal)).outputs;
      if (output === undefined) {
        await store.write(() => Promise.resolve()); // whoever is told its id may ask for it after a power cut
        return { functionCallId: callId };
      }
      acknowledgements.add(callId);
      return { functionCallId: callId, output: outputItem(output) };
    }),
  };
}

/** Its id; empty when it was never submitted. */
async function takeBack(platform: Platform, call: Call): Promise<string> {
  const key = replyKey(call);
  if (key === undefined) throw fail("invalidArgument", "A call is taken back by its idempotency key.");
  return await platform.store.write(async (tx) => {
    const kept = await tx.replies.find(key);
    if (kept === undefined) return "";
    const { functionCallId: callId } = fromBinary(FunctionMapResponseSchema, kept);
    await cancelCall(tx, { callId, endContainers: false }, contextOf(platform));
    return callId;
  });
}

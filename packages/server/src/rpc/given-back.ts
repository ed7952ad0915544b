/** Inputs that a container has claimed ahead, and leaves to others since it is busy with another one. */
import type { call as wire } from "@lydian/contract";

import type { Deliveries } from "../calls/deliveries.ts";
import { giveBackInputs } from "../calls/give-back.ts";
import { type Rpcs, container } from "./adapter-access.ts";
import { contextOf, type Platform } from "./platform.ts";

export function givenBackRpcs(platform: Platform, deliveries: Deliveries): Rpcs<typeof wire.Calls> {
  const { store, clock, lineOwners, timeouts } = platform;
  return {
    giveBack: container(async ({ inputs }, { caller }) => {
      const asked = inputs.map(({ inputId, retryCount }) => ({ inputId, attempt: retryCount + 1 }));
      // As with a claim: a power cut that undoes it ends the container, too.
      const given = await store.note((tx) => giveBackInputs(tx, caller.id, asked, contextOf(platform)));
      lineOwners.ended(caller.id, given, clock.now());
      for (const inputId of given) timeouts.finished(inputId);
      deliveries.finished(caller.id, given);
      return {};
    }),
  };
}

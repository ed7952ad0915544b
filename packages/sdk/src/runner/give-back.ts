/** Says to the platform which inputs of a container's have not begun, and will not. */
import { call as wire } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import type { AheadInput } from "./ahead-states.ts";

export async function giveBack(client: Client, inputs: readonly AheadInput[], patienceMs: number): Promise<void> {
  if (inputs.length === 0) return;
  const items = inputs.map(({ inputId, retryCount }) => ({ inputId, retryCount }));
  await client.ask(wire.Calls.method.giveBack, { inputs: items }, { patienceMs });
}

/** What a platform of these tests has left on this host. */
import { hostTraces } from "@lydian/testkit";

import { openTestLayers } from "./debian-layer.ts";
import type { RigIdentity } from "./rig.ts";

/** Everything on this host that carries the platform's name, lies in its folder and is not a plain file, or holds a layer. */
export async function leftovers({ data, instance }: RigIdentity): Promise<string[]> {
  return [...(await hostTraces([instance, data])), ...(await holders(instance)).map((holder) => `holder ${holder}`)];
}

async function holders(instance: string): Promise<string[]> {
  const layers = await openTestLayers();
  return [...(await layers.holders()).values()].flat().filter((name) => name.startsWith(`${instance}.`));
}

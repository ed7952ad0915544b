/** Finds environments by the names that clients give. */
import type { Tx } from "../domain/store.ts";
import type { Environment } from "../domain/stored.ts";
import { fail } from "../errors.ts";
import { defaultEnvironment } from "./first-start.ts";

/** An empty name means the default environment. */
export async function findEnvironment(tx: Tx, name: string): Promise<Environment> {
  const environments = await tx.identity.environments();
  const found = environments.find((environment) => environment.name === (name || defaultEnvironment));
  if (found !== undefined) return found;
  const names = environments.map((environment) => environment.name).join(", ");
  throw fail("notFound", `Environment "${name}" does not exist.`, { hint: `There are: ${names}` });
}

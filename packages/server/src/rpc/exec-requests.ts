/** What is the same for a command whichever way a client asks for it: whose container it is, its environment, its terminal. */
import type { Container } from "../domain/container.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { knownSecret } from "../secrets/manage.ts";
import type { Platform } from "./platform.ts";

/** A container in which something can run. */
export async function livingContainer(tx: Tx, id: string): Promise<Container> {
  const container = await tx.containers.get(id);
  if (container !== undefined && container.state !== "gone") return container;
  throw fail("notFound", container === undefined ? `Container ${id} does not exist.` : `Container ${id} has ended.`);
}

export const target = ({ store }: Platform, id: string): Promise<Container> =>
  store.read((tx) => livingContainer(tx, id));

/** Later ones win. */
export async function secretVariables(
  { store, vault }: Platform,
  secretIds: readonly string[],
): Promise<Record<string, string>> {
  if (secretIds.length === 0) return {};
  return await store.read(async (tx) => {
    for (const id of secretIds) await knownSecret(tx, id);
    return await vault.environmentOf(tx, secretIds);
  });
}

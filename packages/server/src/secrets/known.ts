/** Finds secrets by the ids that functions and builds have of them, and tells one set of values from another. */
import { createHash } from "node:crypto";

import type { Secret } from "../domain/secret.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";

/** In the order asked for; throws for one that is not there, by its name where it had one. */
export async function secretsOf(tx: Tx, secretIds: readonly string[]): Promise<Secret[]> {
  const secrets: Secret[] = [];
  for (const id of secretIds) {
    const secret = await tx.secrets.get(id);
    if (secret === undefined) throw fail("notFound", `Secret ${id} does not exist.`);
    if (secret.state === "deleted") {
      throw fail("notFound", `Secret "${secret.name}" was deleted.`, {
        hint: `Create it again (\`modal secret create ${secret.name} KEY=value\`), and run or deploy what uses it again`,
      });
    }
    secrets.push(secret);
  }
  return secrets;
}

/**
 * What stands for these secrets in the key of what is made with them: another one as soon as a value may be another one.
 * A named secret counts by its version, one without a name by what is in it, for it has another id in each run.
 */
export async function identityOf(tx: Tx, secretIds: readonly string[]): Promise<string> {
  const secrets = await secretsOf(tx, secretIds);
  const parts = secrets.map(({ id, state, version, fingerprint }) =>
    state === "named" ? `${id} ${version}` : fingerprint,
  );
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

export function nameOf({ id, name }: Pick<Secret, "id" | "name">): string {
  return name === "" ? id : `"${name}"`;
}

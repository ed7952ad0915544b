/** Environments: found by the names that clients give, made and changed. */
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import type { Environment } from "../domain/stored.ts";
import { fail } from "../errors.ts";

/** An empty name means the workspace's default environment. */
export async function findEnvironment(tx: Tx, name: string): Promise<Environment> {
  const environments = await tx.identity.environments();
  const workspace = name === "" ? await tx.identity.workspace() : undefined;
  const found = environments.find((each) =>
    name === "" ? each.id === workspace?.defaultEnvironmentId : each.name === name,
  );
  if (found !== undefined) return found;
  const names = environments.map((environment) => environment.name).join(", ");
  throw fail("notFound", `Environment "${name}" does not exist.`, { hint: `There are: ${names}` });
}

/** Its web suffix is its name, as far as host names can say that. */
export async function createEnvironment(tx: Tx, name: string, { now, newId }: Context): Promise<Environment> {
  await checkName(tx, name);
  const taken = new Set((await tx.identity.environments()).map((each) => each.webSuffix));
  const wanted = slugOf(name);
  const id = newId("en");
  const webSuffix = wanted === "" || taken.has(wanted) ? slugOf(`${wanted}-${id.slice(-8)}`) : wanted;
  const environment = { id, name, webSuffix, createdAt: now };
  await tx.identity.putEnvironment(environment);
  return environment;
}

/** What is undefined stays. Host names of what is deployed stay until it is deployed again. */
export async function updateEnvironment(
  tx: Tx,
  current: string,
  changes: { name: string | undefined; webSuffix: string | undefined },
): Promise<Environment> {
  const environment = await findEnvironment(tx, current);
  const { name = environment.name, webSuffix = environment.webSuffix } = changes;
  if (name !== environment.name) await checkName(tx, name);
  if (webSuffix !== slugOf(webSuffix)) {
    throw fail("invalidArgument", `"${webSuffix}" cannot be an environment's web suffix.`, {
      hint: `Use lower case letters, digits and single dashes, at most ${longestSuffix}`,
    });
  }
  const owner = (await tx.identity.environments()).find((each) => each.webSuffix === webSuffix);
  if (owner !== undefined && owner.id !== environment.id) {
    throw fail("alreadyExists", `Environment "${owner.name}" has the web suffix "${webSuffix}" already.`, {
      hint: "Their web functions would have the same host names: choose another one",
    });
  }
  const changed = { ...environment, name, webSuffix };
  await tx.identity.putEnvironment(changed);
  return changed;
}

const longestSuffix = 40;

function slugOf(text: string): string {
  const slug = text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return slug.slice(0, longestSuffix).replaceAll(/^-|-$/g, "");
}

async function checkName(tx: Tx, name: string): Promise<void> {
  if (!/^[a-z0-9][\w-]{0,62}$/i.test(name) || name.startsWith("en-")) {
    throw fail("invalidArgument", `${JSON.stringify(name)} cannot be an environment's name.`, {
      hint: "A name has fewer than 64 letters, digits, dashes and underscores, and begins with a letter or digit, not with en-",
    });
  }
  if ((await tx.identity.environments()).every((each) => each.name !== name)) return;
  throw fail("alreadyExists", `Environment "${name}" exists already.`);
}

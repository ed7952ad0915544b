/** Makes, finds, changes and deletes secrets. */
import { livingApp } from "../apps/known.ts";
import type { Context } from "../domain/context.ts";
import type { Secret } from "../domain/secret.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { checkName } from "../objects/check-name.ts";
import { checkValues } from "./check-values.ts";
import { nameOf, secretsOf } from "./known.ts";
import type { Values } from "./seal.ts";
import type { Vault } from "./vault.ts";

/** What to do about one that is there or is not. */
export type Creation = "lookUp" | "ifMissing" | "failIfExists" | "overwrite" | "ofApp" | "ephemeral";

export interface SecretRequest {
  creation: Creation;
  name: string;
  environment: string;
  values: Values;
  /** The owner, of one `ofApp`. */
  appId: string;
  /** Variables that it must have. */
  requiredKeys: readonly string[];
  createdBy: string;
}

export async function getSecret(
  tx: Tx,
  { name, environment, requiredKeys }: Pick<SecretRequest, "name" | "environment" | "requiredKeys">,
): Promise<Secret> {
  const { id, name: environmentName } = await findEnvironment(tx, environment);
  const secret = await tx.secrets.named(id, name);
  if (secret === undefined) {
    throw fail("notFound", `Secret "${name}" does not exist in environment "${environmentName}".`, {
      hint: `Create it: \`modal secret create ${name} KEY=value\``,
    });
  }
  return withKeys(secret, requiredKeys);
}

export async function getOrCreateSecret(
  tx: Tx,
  vault: Vault,
  request: SecretRequest,
  context: Context,
): Promise<Secret> {
  const { creation, name, environment, values, requiredKeys } = request;
  if (creation === "lookUp") return await getSecret(tx, request);
  checkValues(values);
  if (creation === "ofApp" || creation === "ephemeral") return await createAnonymous(tx, vault, request, context);
  checkName("secret", name);
  const { id: environmentId } = await findEnvironment(tx, environment);
  const existing = await tx.secrets.named(environmentId, name);
  if (existing === undefined) {
    const [newest] = await tx.secrets.newest(environmentId, Number.MAX_SAFE_INTEGER, 1);
    // Lists go on from the time of the last one that was seen, so no two have the same.
    const createdAt = Math.max(context.now, (newest?.createdAt ?? 0) + 1);
    return await create(tx, vault, request, { ...context, now: createdAt }, { environmentId, name, state: "named" });
  }
  switch (creation) {
    case "failIfExists":
      throw fail("alreadyExists", `Secret "${name}" exists already.`, {
        hint: "`modal secret create --force` replaces it",
      });
    case "ifMissing":
      return withKeys(existing, requiredKeys);
    case "overwrite":
      return await reseal(tx, vault, existing, values);
  }
}

/** An undefined value takes the key away; what is not named stays. */
export async function updateSecret(
  tx: Tx,
  vault: Vault,
  id: string,
  changes: ReadonlyMap<string, string | undefined>,
): Promise<Secret> {
  const secret = await knownSecret(tx, id);
  const kept = Object.entries(vault.open(secret)).filter(([key]) => !changes.has(key));
  const set = [...changes].filter((change): change is [string, string] => change[1] !== undefined);
  const values = Object.fromEntries([...kept, ...set]);
  checkValues(values);
  return await reseal(tx, vault, secret, values);
}

/** Its values are gone at once; functions that ask for it fail with its name when their next container starts. */
export async function deleteSecret(tx: Tx, id: string): Promise<void> {
  const secret = await knownSecret(tx, id);
  await tx.secrets.put({ ...secret, state: "deleted", keys: [], sealed: new Uint8Array(), fingerprint: "" });
}

export async function knownSecret(tx: Tx, id: string): Promise<Secret> {
  const [secret] = await secretsOf(tx, [id]);
  if (secret === undefined) throw new Error("one was asked for");
  return secret;
}

async function createAnonymous(tx: Tx, vault: Vault, request: SecretRequest, context: Context): Promise<Secret> {
  const owner = request.creation === "ofApp" ? await livingApp(tx, request.appId) : undefined;
  const environmentId = owner?.environmentId ?? (await findEnvironment(tx, request.environment)).id;
  return await create(tx, vault, request, context, { environmentId, name: "", state: "anonymous", appId: owner?.id });
}

async function create(
  tx: Tx,
  vault: Vault,
  { values, createdBy }: SecretRequest,
  { now, newId }: Context,
  own: Pick<Secret, "environmentId" | "name" | "state"> & { appId?: string | undefined },
): Promise<Secret> {
  const facts = { appId: undefined, ...own, id: newId("st"), version: 1, createdAt: now, createdBy };
  const secret = vault.seal({ ...facts, lastUsedAt: undefined }, values);
  await tx.secrets.put(secret);
  return secret;
}

async function reseal(tx: Tx, vault: Vault, secret: Secret, values: Values): Promise<Secret> {
  const changed = vault.seal({ ...secret, version: secret.version + 1 }, values);
  await tx.secrets.put(changed);
  return changed;
}

/** The JavaScript client knows the sentence's beginning, and makes its own "not found" of it. */
function withKeys(secret: Secret, requiredKeys: readonly string[]): Secret {
  const missing = requiredKeys.filter((key) => !secret.keys.includes(key));
  if (missing.length === 0) return secret;
  throw fail("failedPrecondition", `Secret is missing key(s): ${missing.join(", ")} (secret ${nameOf(secret)}).`, {
    hint: {
      python: "Set them: `modal.Secret.from_name(…).update({…})`, or `modal secret create --force` with all keys",
      typescript: "Set them: `lydian secret create --force` with all keys",
    },
  });
}

/** Makes, finds and deletes dicts and queues as such. */
import { objectBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { NamedObject, ObjectKind } from "../domain/named-object.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { checkName } from "./check-name.ts";
import { empty } from "./empty.ts";

/** What to do about one that is there or is not. */
export type Creation = "lookUp" | "ifMissing" | "failIfExists" | "ephemeral";

export interface ObjectRequest {
  kind: ObjectKind;
  creation: Creation;
  name: string;
  environment: string;
  createdBy: string;
}

const prefixes = { dict: "di", queue: "qu" } as const satisfies Record<ObjectKind, string>;

/** As the clients call it. */
const titles: Record<ObjectKind, string> = { dict: "Dict", queue: "Queue" };

export async function getObject(
  tx: Tx,
  { kind, name, environment }: Pick<ObjectRequest, "kind" | "name" | "environment">,
): Promise<NamedObject> {
  const { id, name: environmentName } = await findEnvironment(tx, environment);
  const found = await tx.objects.named(kind, id, name);
  if (found !== undefined) return found;
  throw fail("notFound", `${titles[kind]} "${name}" does not exist in environment "${environmentName}".`, {
    hint: {
      python: `Create it: \`modal ${kind} create ${name}\`, or \`create_if_missing=True\` in the code`,
      typescript: `Create it: \`lydian ${kind} create ${name}\`, or \`createIfMissing: true\` in the code`,
    },
  });
}

/** `isNew`: it was made by this. */
export async function getOrCreateObject(
  tx: Tx,
  request: ObjectRequest,
  context: Context,
): Promise<{ object: NamedObject; isNew: boolean }> {
  const { kind, creation, name, environment } = request;
  if (creation === "lookUp") return { object: await getObject(tx, request), isNew: false };
  const { id: environmentId } = await findEnvironment(tx, environment);
  if (creation === "ephemeral") {
    return { object: await create(tx, { ...request, name: "" }, environmentId, context.now, context), isNew: true };
  }
  checkName(kind, name);
  const existing = await tx.objects.named(kind, environmentId, name);
  if (existing !== undefined) {
    if (creation === "ifMissing") return { object: existing, isNew: false };
    throw fail("alreadyExists", `${titles[kind]} "${name}" exists already.`, {
      hint: {
        python: `Pass \`allow_existing=True\`, or delete it: \`modal ${kind} delete ${name}\``,
        typescript: `Delete it: \`lydian ${kind} delete ${name}\``,
      },
    });
  }
  const [newest] = await tx.objects.newest(kind, environmentId, Number.MAX_SAFE_INTEGER, 1);
  // Lists go on from the time of the last one that was seen, so no two have the same.
  const createdAt = Math.max(context.now, (newest?.createdAt ?? 0) + 1);
  return { object: await create(tx, request, environmentId, createdAt, context), isNew: true };
}

export async function knownObject(tx: Tx, kind: ObjectKind, id: string): Promise<NamedObject> {
  const object = await tx.objects.get(id);
  if (object?.kind === kind) return object;
  throw fail("notFound", `${titles[kind]} ${id} does not exist.`, {
    hint: "It was deleted, or was ephemeral and its client is gone: find or create it by name again",
  });
}

/** Who waits for something in it is told. Its contents are out of sight at once, and go by and by. */
export async function deleteObject(tx: Tx, kind: ObjectKind, id: string): Promise<void> {
  const object = await knownObject(tx, kind, id);
  await tx.objects.remove(id);
  await dropContents(tx, object);
  tx.ring(objectBell(id));
}

/** Nothing is in it any more, however much it was. */
export async function clearObject(tx: Tx, kind: ObjectKind, id: string): Promise<void> {
  const object = await knownObject(tx, kind, id);
  await tx.objects.remove(id);
  await tx.objects.insert(object);
  await dropContents(tx, object);
  tx.ring(objectBell(id));
}

async function create(
  tx: Tx,
  { kind, name, createdBy }: Pick<ObjectRequest, "kind" | "name" | "createdBy">,
  environmentId: NamedObject["environmentId"],
  createdAt: number,
  { newId }: Context,
): Promise<NamedObject> {
  return await tx.objects.insert({ id: newId(prefixes[kind]), kind, environmentId, name, createdAt, createdBy });
}

async function dropContents(tx: Tx, { kind, contents }: NamedObject): Promise<void> {
  await empty(tx, kind === "dict" ? "emptyDict" : "emptyQueue", contents);
}

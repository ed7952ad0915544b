/** Finds functions and classes of deployed apps by their names. */
import { deployedApp } from "../apps/known.ts";
import type { Context } from "../domain/context.ts";
import type { FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { type Composition, compositionOf, functionIn } from "./pinned.ts";

export interface Name {
  app: string;
  environment: string;
  /** Such as `hello`, `Model` or `Model.*`. */
  tag: string;
  /** Of the deployment; 0: whichever is in effect. */
  version: number;
}

/** `whenClass` is thrown when the tag is a class's. With a version that is not in effect, it may have to be written. */
export async function findFunction(
  tx: Tx,
  name: Name,
  whenClass: (message: string) => Error,
  context: Context,
): Promise<FunctionRecord> {
  const composition = await compositionBy(tx, name);
  const { functionIds, classIds } = composition.layout;
  const record = await functionIn(tx, functionIds[name.tag] ?? "", composition, context);
  if (record !== undefined) return record;
  if (classIds[name.tag] !== undefined) throw whenClass(`"${name.tag}" of app "${name.app}" is a class.`);
  if (name.tag.endsWith(".*")) throw notThere("class", { ...name, tag: name.tag.slice(0, -2) }, Object.keys(classIds));
  throw notThere(
    "function",
    name,
    Object.keys(functionIds).filter((tag) => !tag.endsWith(".*")),
  );
}

/** The class's id, and the function that holds its methods; written as above. */
export async function findClass(tx: Tx, name: Name, context: Context): Promise<{ id: string; record: FunctionRecord }> {
  const composition = await compositionBy(tx, name);
  const { functionIds, classIds } = composition.layout;
  const id = classIds[name.tag];
  const record = await functionIn(tx, functionIds[`${name.tag}.*`] ?? "", composition, context);
  if (id === undefined || record === undefined) throw notThere("class", name, Object.keys(classIds));
  return { id, record };
}

async function compositionBy(tx: Tx, { environment, app: name, version }: Name): Promise<Composition> {
  return await compositionOf(tx, await deployedApp(tx, environment, name), version);
}

function notThere(kind: string, { app, tag }: Name, known: readonly string[]): Error {
  const hint = known.length === 0 ? {} : { hint: `There are: ${known.toSorted().join(", ")}` };
  return fail("notFound", `App "${app}" has no ${kind} "${tag}".`, hint);
}

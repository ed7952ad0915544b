/** Finds functions and classes of deployed apps by their names. */
import { deployedApp } from "../apps/known.ts";
import type { App } from "../domain/app.ts";
import type { FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";

export interface Name {
  app: string;
  environment: string;
  /** Such as `hello`, `Model` or `Model.*`. */
  tag: string;
  /** Of the deployment; 0: whichever is in effect. */
  version: number;
}

/** `whenClass` is thrown when the tag is a class's. */
export async function findFunction(tx: Tx, name: Name, whenClass: (message: string) => Error): Promise<FunctionRecord> {
  const app = await appOf(tx, name);
  const { functionIds, classIds } = app.layout;
  const record = await tx.functions.get(functionIds[name.tag] ?? "");
  if (record !== undefined) return record;
  if (classIds[name.tag] !== undefined) throw whenClass(`"${name.tag}" of app "${name.app}" is a class.`);
  throw notThere(
    "function",
    name,
    Object.keys(functionIds).filter((tag) => !tag.endsWith(".*")),
  );
}

/** The class's id, and the function that holds its methods. */
export async function findClass(tx: Tx, name: Name): Promise<{ id: string; record: FunctionRecord }> {
  const app = await appOf(tx, name);
  const { functionIds, classIds } = app.layout;
  const id = classIds[name.tag];
  const record = await tx.functions.get(functionIds[`${name.tag}.*`] ?? "");
  if (id === undefined || record === undefined) throw notThere("class", name, Object.keys(classIds));
  return { id, record };
}

/** Only the version in effect has containers. */
async function appOf(tx: Tx, { environment, app: name, version }: Name): Promise<App> {
  const app = await deployedApp(tx, environment, name);
  if (version === 0 || version === app.version) return app;
  throw fail("failedPrecondition", `Version ${version} of app "${name}" is not in effect: version ${app.version} is.`, {
    hint: `Leave the version out, or put it into effect again: modal app rollback ${name} v${version}`,
  });
}

function notThere(kind: string, { app, tag }: Name, known: readonly string[]): Error {
  const hint = known.length === 0 ? {} : { hint: `There are: ${known.toSorted().join(", ")}` };
  return fail("notFound", `App "${app}" has no ${kind} "${tag}".`, hint);
}

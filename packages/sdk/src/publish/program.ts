/** A program's files traced, its modules loaded, its definitions named: all that is done before anything reaches a platform. */
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { hasCode } from "@lydian/kit/errors";

import { App } from "../app.ts";
import { checkNames, type Definition, definitionOf, nameAll, nameExports } from "../definition.ts";
import { InvalidError, LydianError } from "../errors.ts";
import { type HookedModule, ModuleServer } from "../runner/module-hooks.ts";
import { hintForMissing } from "./packages.ts";
import { type SourceGraph, traceSources } from "./source-graph.ts";

export interface Program {
  readonly graph: SourceGraph;
  /** What the file exports. */
  readonly exports: Readonly<Record<string, unknown>>;
}

let server: ModuleServer | undefined;

/** Imports a file as a container does: by the code that ships. Asked again, the program as it then is. */
export async function loadProgram(file: string): Promise<Program> {
  const graph = await traceSources(file);
  const { root } = graph;
  const modules = new Map(
    graph.modules.map(({ path, code, imports }): [string, HookedModule] => {
      const targets = Object.entries(imports).map(([specifier, target]) => [specifier, join(root, target)]);
      return [
        join(root, path),
        {
          code: code === undefined ? undefined : () => code,
          imports: Object.fromEntries(targets) as Record<string, string>,
        },
      ];
    }),
  );
  process.setSourceMapsEnabled(true);
  const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
  server ??= new ModuleServer((part) => import.meta.resolve(`../${part}.${extension}`));
  server.serve(modules);
  const url = server.urlOf(file);
  const exports = await imported(url, file, root);
  nameExports(exports, url);
  return { graph, exports };
}

/** What a module of the program that was loaded last is known by; undefined where none was. */
export const urlOfModule = (file: string): string | undefined => server?.urlOf(file);

/** What a module throws as it is imported is its author's to see, with its stack. */
async function imported(url: string, file: string, root: string): Promise<Record<string, unknown>> {
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof LydianError) throw error;
    const missing = error instanceof Error && hasCode(error, "ERR_MODULE_NOT_FOUND");
    const text = !(error instanceof Error) ? String(error) : missing ? error.message : (error.stack ?? error.message);
    const [, name, importer = file] = /^Cannot find package '([^']+)' imported from (.+)$/m.exec(text) ?? [];
    throw new InvalidError(`${file} could not be imported: ${text}`, {
      cause: error,
      ...(missing && name !== undefined && { hint: hintForMissing(root, name, importer) }),
    });
  }
}

/** The functions of an app, named; throws where one has no name, or two have the same. Without any it is its entrypoints alone. */
export async function definitionsOf(app: App): Promise<readonly Definition[]> {
  const { functions, entrypoints } = app;
  await nameAll([...functions, ...entrypoints]);
  checkNames(functions);
  if (functions.length + entrypoints.length === 0)
    throw new InvalidError(`app ${JSON.stringify(app.name)} has no functions, and no entrypoint`);
  return functions;
}

/** The file of a definition, from the program's root. */
export function moduleOf({ site, name }: Definition, { root, modules }: SourceGraph): string {
  const path = site.module.startsWith("file:") ? relative(root, fileURLToPath(site.module)).split(sep).join("/") : "";
  if (modules.some((module) => module.path === path)) return path;
  throw new InvalidError(
    `${name} is defined in ${site.module || "code that is no file"}, which is not among the program's files`,
  );
}

/** The app whose functions a program exports, or that it exports itself; of several the one that includes the others. */
export function appOf(exports: Readonly<Record<string, unknown>>, file: string): App {
  const found = Object.values(exports).flatMap((value) =>
    value instanceof App ? [value] : (definitionOf(value)?.owner ?? []),
  );
  const apps = new Set(found);
  for (const app of found) for (const other of app.all) if (other !== app) apps.delete(other);
  const [app, ...others] = apps;
  if (app === undefined) {
    throw new InvalidError(`${file} exports nothing of an app`, {
      hint: "export a function: export const hello = app.function(…)",
    });
  }
  if (others.length === 0) return app;
  const names = [app, ...others].map(({ name }) => name).join(", ");
  throw new InvalidError(`${file} exports functions of several apps: ${names}`, {
    hint: "have one include the others by app.include(other), and export that",
  });
}

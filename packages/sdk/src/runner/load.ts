/** Finds the code of the container's function: imports its module and takes what it defines under the function's name. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import type { Function } from "@lydian/contract";

import { type Definition, definitionOf, nameExports, tagOf } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import { importing } from "../live.ts";
import { codeFolder, type CodeManifest, manifestName, programFolder } from "./layout.ts";
import { type HookedModule, ModuleServer } from "./module-hooks.ts";

/** `own`: the folder that this package is in; what is beside it are the program's files. */
export async function loadFunction({ moduleName, functionName }: Function, own: string): Promise<Definition> {
  const exports = await importing(() => importModule(moduleName, own));
  const found = Object.values(exports)
    .map(definitionOf)
    .find((definition) => definition !== undefined && tagOf(definition) === functionName);
  if (found !== undefined) return found;
  throw new InvalidError(`${moduleName} exports no function ${JSON.stringify(functionName)}`, {
    hint: "a definition has to be exported on each import of its module, whatever the environment is",
  });
}

/** What a module of the program exports, once it is imported as it ships; its definitions have their names. */
export async function importModule(moduleName: string, own: string): Promise<Record<string, unknown>> {
  const root = dirname(own);
  const program = join(root, programFolder);
  const { modules } = JSON.parse(readFileSync(join(program, manifestName), "utf8")) as CodeManifest;
  const hooked = Object.entries(modules).map(([path, { code, imports }]): [string, HookedModule] => [
    join(root, path),
    {
      code: () => readFileSync(join(program, codeFolder, code), "utf8"),
      imports: Object.fromEntries(
        Object.entries(imports).map(([specifier, target]) => [specifier, join(root, target)]),
      ),
    },
  ]);
  const server = new ModuleServer((part) => pathToFileURL(join(own, `${part}.js`)).href);
  server.serve(new Map(hooked));
  const url = server.urlOf(join(root, moduleName));
  const exports = (await import(url)) as Record<string, unknown>;
  nameExports(exports, url);
  return exports;
}

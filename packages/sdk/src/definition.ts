/** What a module defines: the options and the code of each function, and where it says so. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { getCallSites } from "node:util";

import type { App } from "./app.ts";
import { InvalidError } from "./errors.ts";
import type { Handler } from "./func.ts";
import type { Batching, FunctionOptions, MethodOptions, WebOptions } from "./options.ts";
import type { StandardSchema } from "./standard-schema.ts";
import type { ServerOptions } from "./web/server.ts";

/** Where in whose code. */
export interface Site {
  /** A URL of a file, as modules are imported by. */
  readonly module: string;
  readonly line: number;
  readonly column: number;
}

export interface Definition {
  readonly kind: "function" | "class" | "entrypoint";
  /** The app that it was defined with. */
  readonly owner: App;
  readonly options: FunctionOptions;
  readonly handler: Handler;
  readonly batched: Batching | undefined;
  /** It answers web requests, and is called in no other way. */
  readonly web: WebOptions | undefined;
  /** The handler starts a server in the container, which answers them. */
  readonly server: ServerOptions | undefined;
  /** Of a class, by name; of those that are more than their code. */
  readonly methods: Readonly<Record<string, MethodOptions>>;
  /** Of an entrypoint: what its flags have to be. */
  readonly schema: StandardSchema | undefined;
  readonly site: Site;
  /** Its name, once that is known: given, or the one that its module exports it under. */
  name: string | undefined;
}

/** By what `app.function` and its like answer. */
const definitions = new WeakMap<object, Definition>();

export function remember(handle: object, definition: Definition): void {
  definitions.set(handle, definition);
}

/** Undefined for anything that is no definition. */
export function definitionOf(value: unknown): Definition | undefined {
  return (typeof value === "object" && value !== null) || typeof value === "function"
    ? definitions.get(value)
    : undefined;
}

/** Of the caller of who calls this. */
export function siteOfCaller(): Site {
  const [, , caller] = getCallSites(3, { sourceMap: true });
  return { module: caller?.scriptName ?? "", line: caller?.lineNumber ?? 0, column: caller?.columnNumber ?? 0 };
}

export function formatSite({ module, line }: Site): string {
  return `${module.startsWith("file:") ? fileURLToPath(module) : module}:${line}`;
}

/** Gives what a module exports the names that it is exported under, unless it has one. */
export function nameExports(module: Readonly<Record<string, unknown>>, url: string): void {
  for (const [key, value] of Object.entries(module)) {
    const definition = definitionOf(value);
    if (definition === undefined || definition.name !== undefined) continue;
    definition.name = key === "default" ? nameOfFile(url) : key;
  }
}

/** How long a module that has run to its end may take to be imported once more, in milliseconds. */
const importMs = 100;

/**
 * Looks for the names in the modules that the definitions are in; those are imported already, and not run again. One that waits at
 * its own top level, perhaps for this, exports nothing yet: there the names are read from its source.
 */
export async function nameAll(all: readonly Definition[]): Promise<void> {
  const unnamed = all.filter(({ name }) => name === undefined);
  for (const url of new Set(unnamed.map(({ site }) => site.module))) {
    if (!url.startsWith("file:")) continue;
    const found = new AbortController();
    const exports = await Promise.race([import(url), setTimeout(importMs, undefined, { signal: found.signal })]);
    found.abort(); // the timer would keep a program from ending
    if (exports !== undefined) nameExports(exports as Record<string, unknown>, url);
    else for (const each of unnamed.filter(({ site }) => site.module === url)) each.name ??= nameInSource(each.site);
  }
}

/** Of `export const hello = app.function(…)`, where `function` is the site: hello. */
function nameInSource({ module, line, column }: Site): string | undefined {
  const lines = readFileSync(fileURLToPath(module), "utf8").split("\n").slice(0, line);
  const before = [...lines.slice(0, -1), lines.at(-1)?.slice(0, column - 1)].join("\n");
  if (/\bexport\s+default\s+[\w$.\s]*$/.test(before)) return nameOfFile(module);
  return /\b(?:const|let|var)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*(?::[^=;]*)?=\s*[\w$.\s]*$/u.exec(before)?.[1];
}

const nameOfFile = (url: string): string => basename(fileURLToPath(url)).replace(/\.\w+$/, "");

const calls = { function: "function", class: "cls", entrypoint: "localEntrypoint" } as const;

/** What the platform knows it by within its app. */
export const tagOf = ({ kind, name = "" }: Pick<Definition, "kind" | "name">): string =>
  kind === "class" ? `${name}.*` : name;

/** Throws where something has no name, or two things have the same. */
export function checkNames(all: readonly Definition[]): void {
  const taken = new Map<string, Definition>();
  for (const definition of all) {
    const { name, kind } = definition;
    const where = formatSite(definition.site);
    if (name === undefined) {
      throw new InvalidError(`the ${kind} at ${where} has no name`, {
        hint: `export it under one (export const hello = app.${calls[kind]}(…)), or give it one with { name }`,
      });
    }
    const other = taken.get(name);
    if (other !== undefined && other !== definition) {
      throw new InvalidError(
        `two functions are called ${JSON.stringify(name)}: at ${formatSite(other.site)} and at ${where}`,
        {
          hint: "export one under another name, or give it one with { name }",
        },
      );
    }
    taken.set(name, definition);
  }
}

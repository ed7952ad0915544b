/** The command line of a program's own entrypoint: flags by its fields, arguments of a function. Pure. */
import type { Fields } from "lydian";
import { readField, shapeOf } from "lydian/publish";

import { UsageError } from "./command.ts";

/** `maxItems` is --max-items. */
export function flagOf(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `--name Ada`, `--name=Ada`, `--loud`, `--no-loud`; repeated ones become lists. Throws a UsageError for what no field has. */
export function parseFlags(fields: Fields, args: readonly string[]): Record<string, unknown> {
  const shapes = new Map(
    Object.entries(fields).map(([field, spec]) => [flagOf(field), { field, shape: shapeOf(spec) }]),
  );
  const values: Record<string, unknown> = {};
  for (const { field, shape } of shapes.values()) if (shape.fallback !== undefined) values[field] = shape.fallback;
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = "", given] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    const negated = shapes.get(name.replace(/^no-/, ""));
    if (!shapes.has(name) && name.startsWith("no-") && negated?.shape.kind === "boolean" && given === undefined) {
      values[negated.field] = false;
      continue;
    }
    const known = shapes.get(name);
    if (known === undefined) throw new UsageError(`${word} is no flag of this program`, { hint: hintOf(fields) });
    const { field, shape } = known;
    const text = given ?? (shape.kind === "boolean" ? "true" : rest.shift());
    if (text === undefined) throw new UsageError(`--${name} has no value`, { hint: hintOf(fields) });
    const value = readField(name, shape, text);
    values[field] = shape.isRepeated ? [...((values[field] as unknown[] | undefined) ?? []), value] : value;
  }
  const missing = [...shapes].filter(([, { field }]) => values[field] === undefined).map(([name]) => `--${name}`);
  if (missing.length > 0) throw new UsageError(`${missing.join(", ")} must be given`, { hint: hintOf(fields) });
  return values;
}

/** For a schema, which knows the types: `--max-items 3 --no-loud` is { maxItems: 3, loud: false }; values are JSON, or else text. */
export function parseLooseFlags(args: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = "", given] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (name === "") throw new UsageError(`${word} is no flag`, { hint: "flags look like --name value" });
    const next = given ?? (rest[0] === undefined || rest[0].startsWith("--") ? undefined : rest.shift());
    const isNegated = next === undefined && name.startsWith("no-");
    const field = (isNegated ? name.slice("no-".length) : name).replaceAll(/-([a-z])/g, (_, letter: string) =>
      letter.toUpperCase(),
    );
    values[field] = next === undefined ? !isNegated : parseArguments([next])[0];
  }
  return values;
}

function hintOf(fields: Fields): string {
  const lines = flagLines(fields);
  return lines.length === 0 ? "it takes none" : `it takes:\n${lines.join("\n")}`;
}

/** One line for each flag, for a help. */
export function flagLines(fields: Fields): string[] {
  const rows = Object.entries(fields).map(([field, spec]) => {
    const { kind, isRepeated, fallback } = shapeOf(spec);
    const usage = kind === "boolean" ? `--[no-]${flagOf(field)}` : `--${flagOf(field)} <${kind}>`;
    const note = isRepeated
      ? "repeatable"
      : fallback === undefined
        ? "required"
        : `default: ${JSON.stringify(fallback)}`;
    return { usage, note };
  });
  const width = Math.max(0, ...rows.map(({ usage }) => usage.length));
  return rows.map(({ usage, note }) => `  ${usage.padEnd(width)}  ${note}`);
}

/** Arguments of a function: JSON where they parse as that, else text. */
export function parseArguments(args: readonly string[]): unknown[] {
  return args.map((text): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  });
}

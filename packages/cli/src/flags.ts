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
    const negated = shapes.get(flagOf(name.replace(/^no-/, "")));
    if (
      !shapes.has(flagOf(name)) &&
      name.startsWith("no-") &&
      negated?.shape.kind === "boolean" &&
      given === undefined
    ) {
      values[negated.field] = false;
      continue;
    }
    const known = shapes.get(flagOf(name)); // --maxItems is meant as well
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

function hintOf(fields: Fields): string {
  const lines = flagLines(fields);
  return lines.length === 0 ? "it takes none" : `it takes:\n${lines.join("\n")}`;
}

/** One line for each flag, for a help. */
export function flagLines(fields: Fields): string[] {
  return usageLines(
    Object.entries(fields).map(([field, spec]) => {
      const { kind, isRepeated, fallback } = shapeOf(spec);
      const note = isRepeated ? "repeatable" : fallback === undefined ? "required" : defaultNote(fallback);
      return { field, kind, note };
    }),
  );
}

export const defaultNote = (value: unknown): string => `default: ${JSON.stringify(value)}`;

export function usageLines(flags: readonly { field: string; kind: string; note: string }[]): string[] {
  const rows = flags.map(({ field, kind, note }) => ({
    usage: kind === "boolean" ? `--[no-]${flagOf(field)}` : `--${flagOf(field)} <${kind}>`,
    note,
  }));
  const width = Math.max(0, ...rows.map(({ usage }) => usage.length));
  return rows.map(({ usage, note }) => `  ${usage.padEnd(width)}  ${note}`.trimEnd());
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

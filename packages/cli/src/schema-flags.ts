/** The command line of an entrypoint whose flags a schema describes. */
import type { StandardSchema } from "lydian";

import { UsageError } from "./command.ts";
import { defaultNote, flagOf, parseArguments, usageLines } from "./flags.ts";

/** What JSON Schema says of a value, as far as it is read here. */
interface Property {
  readonly type?: string;
  readonly default?: unknown;
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, Property>>;
  readonly required?: readonly string[];
}

type Describes = { jsonSchema?: { input(options: { target: string }): ObjectSchema } };

/** What the schema's library tells of it (standardschema.dev/json-schema); undefined where that tells nothing. */
function describedBy(schema: StandardSchema): Required<ObjectSchema> | undefined {
  const { jsonSchema } = schema["~standard"] as Describes;
  const { properties, required = [] } = jsonSchema?.input({ target: "draft-2020-12" }) ?? {};
  return properties && { properties, required };
}

/** One line for each flag, for a help. */
export function schemaFlagLines(schema: StandardSchema): string[] {
  const described = describedBy(schema);
  if (described === undefined) return ["  --name <value>, as the program's schema has it"];
  const { properties, required } = described;
  const noteOf = (field: string, { default: fallback }: Property): string => {
    if (fallback !== undefined) return defaultNote(fallback);
    return required.includes(field) ? "required" : "";
  };
  return usageLines(
    Object.entries(properties).map(([field, property]) => ({
      field,
      kind: property.type ?? "value",
      note: noteOf(field, property),
    })),
  );
}

/** `--max-items 3 --no-loud` is { maxItems: 3, loud: false }; values are JSON, or else text, which is all that a field of texts takes. */
export function parseSchemaFlags(schema: StandardSchema, args: readonly string[]): Record<string, unknown> {
  const properties = describedBy(schema)?.properties;
  const values: Record<string, unknown> = {};
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = "", given] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (name === "") throw new UsageError(`${word} is no flag`, { hint: "flags look like --name value" });
    const isKnown = (field: string): boolean => properties !== undefined && Object.hasOwn(properties, field);
    const isNegated = given === undefined && name.startsWith("no-") && !isKnown(fieldOf(name));
    const field = fieldOf(isNegated ? name.slice("no-".length) : name);
    if (properties !== undefined && !isKnown(field)) {
      const lines = schemaFlagLines(schema).join("\n");
      throw new UsageError(`${word} is no flag of this program`, { hint: `it takes:\n${lines}` });
    }
    const takesNone = properties?.[field]?.type === "boolean" || rest[0] === undefined || rest[0].startsWith("--");
    const text = given ?? (isNegated || takesNone ? undefined : rest.shift());
    values[field] =
      text === undefined ? !isNegated : properties?.[field]?.type === "string" ? text : parseArguments([text])[0];
  }
  return values;
}

/** `max-items` is maxItems, and so is that itself. */
const fieldOf = (flag: string): string => flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** What the schema makes of them; what it refuses is said of the flags. */
export async function checkedFlags(schema: StandardSchema, values: Record<string, unknown>): Promise<unknown> {
  const result = await schema["~standard"].validate(values);
  if (result.issues === undefined) return result.value;
  const lines = result.issues.map(({ message, path: [first, ...within] = [] }) => {
    const key = (part: typeof first): string => String(typeof part === "object" ? part.key : part);
    if (first === undefined) return message;
    const field = key(first);
    const flag = `--${flagOf(field)}${within.map((part) => `.${key(part)}`).join("")}`;
    return field in values ? `${flag}: ${message}` : `${flag} must be given`;
  });
  throw new UsageError(lines.join("\n"), { hint: `it takes:\n${schemaFlagLines(schema).join("\n")}` });
}

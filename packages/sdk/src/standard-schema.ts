/** The interface that schemas of many libraries have (zod, valibot, arktype, …): https://standardschema.dev. */
import { InvalidError } from "./errors.ts";

type Issue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};
type Checked<O> = { readonly value: O; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

/** What zod, valibot, arktype and others give: a schema that checks a value (standardschema.dev). */
export interface StandardSchema<I = unknown, O = I> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Checked<O> | Promise<Checked<O>>;
    readonly types?: { readonly input: I; readonly output: O } | undefined;
  };
}

type Types<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>;
export type SchemaInput<S extends StandardSchema> = Types<S>["input"];
export type SchemaOutput<S extends StandardSchema> = Types<S>["output"];

export function isSchema(value: unknown): value is StandardSchema {
  return (typeof value === "object" || typeof value === "function") && value !== null && "~standard" in value;
}

/** The value as the schema makes it. An InvalidError that names what is wrong, and where in `what`. */
export async function checked(schema: StandardSchema, value: unknown, what: string): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const lines = result.issues.map(({ message, path = [] }) => {
    const where = path.map((part) => `.${String(typeof part === "object" ? part.key : part)}`).join("");
    return `${what}${where}: ${message}`;
  });
  throw new InvalidError(lines.join("\n"));
}

/** One small language for flags: a value is the default and the type; a constructor is a type that must be given. */
import { InvalidError } from "./errors.ts";

type FieldSpec =
  | string
  | number
  | boolean
  | Uint8Array
  | StringConstructor
  | NumberConstructor
  | BooleanConstructor
  | Uint8ArrayConstructor
  | readonly [StringConstructor]
  | readonly [NumberConstructor];

type FieldType<S> = S extends StringConstructor | string
  ? string
  : S extends NumberConstructor | number
    ? number
    : S extends BooleanConstructor | boolean
      ? boolean
      : S extends Uint8ArrayConstructor | Uint8Array
        ? Uint8Array
        : S extends readonly [StringConstructor]
          ? string[]
          : S extends readonly [NumberConstructor]
            ? number[]
            : never;

/** `{ size: "base", lang: String, tags: [String] }`: optional with a default, required, repeated. */
export type Fields = Readonly<Record<string, FieldSpec>>;
/** What fields give: their defaults' types, and those of what is required. */
export type FieldValues<S extends Fields> = { -readonly [K in keyof S]: FieldType<S[K]> };

export interface FieldShape {
  readonly kind: "string" | "number" | "boolean" | "bytes";
  readonly isRepeated: boolean;
  /** Undefined for one that must be given. */
  readonly fallback: unknown;
}

export function shapeOf(spec: FieldSpec): FieldShape {
  const [isRepeated, single] = Array.isArray(spec) ? [true, spec[0] as unknown] : [false, spec];
  const kind =
    single === String || typeof single === "string"
      ? "string"
      : single === Number || typeof single === "number"
        ? "number"
        : single === Uint8Array || single instanceof Uint8Array
          ? "bytes"
          : "boolean";
  const fallback = isRepeated ? [] : typeof single === "function" ? undefined : single;
  return { kind, isRepeated, fallback };
}

/** A flag's text as its field has it. */
export function readField(name: string, { kind }: FieldShape, text: string): string | number | boolean | Uint8Array {
  switch (kind) {
    case "string":
      return text;
    case "number":
      if (text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
      throw new InvalidError(`--${name} is ${JSON.stringify(text)}, and has to be a number`);
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
      throw new InvalidError(`--${name} is ${JSON.stringify(text)}, and has to be true or false`);
    case "bytes":
      return Buffer.from(text);
  }
}

/** Typed access to prepared statements, and the two spellings of "nothing": SQL's null and the domain's undefined. */
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";

type Parameters = Record<string, SQLInputValue>;

export interface Statement<Row> {
  one(parameters?: Parameters): Row | undefined;
  all(parameters?: Parameters): Row[];
  /** One row after the other, for who does not want all: of a row that is not reached nothing is read. */
  each(parameters?: Parameters): Iterable<Row>;
  /** The number of rows that changed. */
  run(parameters?: Parameters): number;
  /** The number of the row that was inserted. */
  insert(parameters?: Parameters): number;
}

/**
 * `Row` is what the statement's columns are; the caller vouches for it. Parameters are written `:name`, and handed to SQLite by
 * their places: to find a name takes it longer than to bind its value. A limit is handed over in a sum, for SQLite plans by one that
 * stands alone, and so would prepare the statement anew each time that it is bound.
 */
export function prepare<Row = never>(database: DatabaseSync, sql: string): Statement<Row> {
  const names = Array.from(sql.matchAll(parameter), ([, name]) => name ?? "");
  const statement = database.prepare(sql.replace(/\bLIMIT (:\w+)/g, "LIMIT $1 + 0").replace(parameter, "?"));
  statement.setReturnArrays(true);
  const toRow = rowOf(statement.columns().map(({ name }) => name)) as (values: Columns) => Row;
  const values = (parameters: Parameters): SQLInputValue[] =>
    names.map((name) => {
      const value = parameters[name];
      if (value === undefined) throw new Error(`:${name} has no value in: ${sql}`);
      return value;
    });
  return {
    one: (parameters = {}) => {
      const found = statement.get(...values(parameters)) as Columns | undefined;
      return found && toRow(found);
    },
    all: (parameters = {}) => (statement.all(...values(parameters)) as unknown as Columns[]).map(toRow),
    each: (parameters = {}) => Iterator.from(statement.iterate(...values(parameters)) as Iterable<Columns>).map(toRow),
    run: (parameters = {}) => Number(statement.run(...values(parameters)).changes),
    insert: (parameters = {}) => Number(statement.run(...values(parameters)).lastInsertRowid),
  };
}

type Columns = readonly SQLOutputValue[];

/**
 * Makes rows of their columns' values. Those that SQLite's binding makes itself are dictionaries to V8, and so is what is spread from
 * them: each use of a field, and each copy, then costs several times as much. What is spread from `none` has the shape of a literal.
 */
function rowOf(names: readonly string[]): (values: Columns) => Record<string, SQLOutputValue> {
  const none = Object.fromEntries(names.map((name) => [name, null as SQLOutputValue]));
  return (values) => {
    const row = { ...none };
    for (let at = 0; at < names.length; at++) row[names[at] as string] = values[at] as SQLOutputValue;
    return row;
  };
}

/** A parameter's name, where SQL has one: not in `a::b` or behind a letter. */
const parameter = /(?<![:\w]):(\w+)/g;

/** A nullable column. */
export type Nullable<T> = T | null;

export const orNull = <T>(value: T | undefined): T | null => value ?? null;
export const orUndefined = <T>(value: T | null): T | undefined => value ?? undefined;

/** Of texts that were parsed: there are few that are read again and again, and then all of them begin anew. */
const mostParsed = 1000;

/** Parses JSON once for each text. What it answers is shared: nobody may change it. */
export function parseOnce<T>(parse: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const parsed = parse(text);
    if (known.size === mostParsed) known.clear();
    known.set(text, parsed);
    return parsed;
  };
}

/** A list as one parameter, for `IN (SELECT value FROM json_each(:list))`. */
export const list = (values: readonly string[]): string => JSON.stringify(values);

/** Rows until they have so many bytes, the last one however large it is. */
export function portionOf<Row>(rows: Iterable<Row>, bytes: number, bytesOf: (row: Row) => number): Row[] {
  const taken: Row[] = [];
  let left = bytes;
  for (const row of rows) {
    taken.push(row);
    left -= bytesOf(row);
    if (left <= 0) break;
  }
  return taken;
}

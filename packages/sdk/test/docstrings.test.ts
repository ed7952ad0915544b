/** Whatever the package gives to programs has a docstring: each name that is exported, and each public part of it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";

const source = join(import.meta.dirname, "..", "src");
const entries = ["index.ts", "web/index.ts", "web/node.ts", "testing/index.ts"];

/** Names that a file gives on, by the file that they are from. */
function exportsOf(entry: string): Map<string, Set<string>> {
  const text = readFileSync(join(source, entry), "utf8");
  const found = new Map<string, Set<string>>();
  for (const [, list, names = "", from = ""] of text.matchAll(/export (?:type )?(\{([^}]*)\}|\*) from "(\.[^"]+)"/g)) {
    const file = join(entry, "..", from);
    const all = list === "*" ? ["*"] : names.split(",").map((name) => name.replace(/\btype\b| as .*/g, "").trim());
    const known = found.get(file) ?? new Set();
    for (const name of all) if (name !== "") known.add(name);
    found.set(file, known);
  }
  return found;
}

const declaration = /^export (?:async )?(?:class|function\*?|const|interface|type) (\w+)/;
const member = /^ {2}(?:static |async |get |readonly |\*)*([A-Za-z]\w*)\??(?:<[^>]*>)?[(:]/;

/** Names of a file without a docstring, such as "Dict.len". An overload after the first, and what is `@internal`, need none. */
function lackingIn(file: string, wanted: ReadonlySet<string>): string[] {
  const lines = readFileSync(join(source, file), "utf8").split("\n");
  const lacking: string[] = [];
  let inside: string | undefined;
  let last = "";
  for (const [at, line] of lines.entries()) {
    const isTold = (lines[at - 1] ?? "").endsWith("*/");
    const name = declaration.exec(line)?.[1];
    if (name !== undefined) {
      const isWanted = wanted.has("*") || wanted.has(name);
      inside = isWanted && /^export (?:class|interface)/.test(line) ? name : undefined;
      if (isWanted && !isTold && !lines.some((other, before) => before < at && declaration.exec(other)?.[1] === name))
        lacking.push(name);
      continue;
    }
    if (line === "}") inside = undefined;
    const part = inside === undefined ? undefined : member.exec(line)?.[1];
    if (part === undefined || ["constructor", "private", "return", "if", "for", "throw", "super"].includes(part))
      continue;
    if (!isTold && part !== last) lacking.push(`${inside}.${part}`);
    last = part;
  }
  return lacking;
}

it("says what everything is that programs use", () => {
  const lacking = entries.flatMap((entry) => [
    ...lackingIn(entry, new Set(["*"])),
    ...[...exportsOf(entry)].flatMap(([file, names]) => lackingIn(file, names)),
  ]);
  assert.deepEqual([...new Set(lacking)], []);
});

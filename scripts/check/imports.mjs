// Finds what a TypeScript or JavaScript file imports. TypeScript 7 has no parser to call from here; patterns do, because
// oxfmt has put every import at the start of a line before they are asked.

/**
 * @typedef {{ specifier: string, typeOnly: boolean, line: number }} Import
 */

const patterns = [
  /^[ \t]*(?:import|export)\b(?<clause>[^;"'`]*?)\bfrom\s*["'](?<specifier>[^"']+)["']/gm,
  /^[ \t]*import\s*["'](?<specifier>[^"']+)["']/gm,
  /\b(?:import|require|import\.meta\.resolve)\s*\(\s*["'`](?<specifier>[^"'`$]+)["'`]/g,
  /\bnew URL\(\s*["'](?<specifier>\.[^"']*)["']\s*,\s*import\.meta\.url/g,
];

/** @param {string} source @returns {Import[]} */
export function listImports(source) {
  const code = withoutComments(source);
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => ({
      specifier: match.groups?.specifier ?? "",
      typeOnly: isTypeOnly(match.groups?.clause ?? ""),
      line: code.slice(0, match.index).split("\n").length,
    })),
  );
}

/** `import type { A }`, and `import { type A, type B }`. @param {string} clause */
function isTypeOnly(clause) {
  if (/^\s*type\b(?!\s*,)/.test(clause)) return true;
  const named = /^\s*\{(.*)\}\s*$/s.exec(clause)?.[1]?.split(",") ?? [];
  const parts = named.map((part) => part.trim()).filter((part) => part !== "");
  return parts.length > 0 && parts.every((part) => part.startsWith("type "));
}

/**
 * Only comments that start a line: a comment opener inside a line may belong to a string such as "packages/*" + "/src".
 * The line breaks stay, so that line numbers do.
 *
 * @param {string} source
 */
function withoutComments(source) {
  return source.replaceAll(/^[ \t]*(?:\/\/.*|\/\*[\s\S]*?\*\/)/gm, (comment) => comment.replaceAll(/[^\n]/g, ""));
}

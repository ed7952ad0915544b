// Fails on a hand-written source file over 500 lines, blank lines and comments counted, in whatever language; and on a
// Python function over 80 (oxlint counts those of TypeScript and JavaScript).

import { readFileSync } from "node:fs";
import { isGenerated, listFiles } from "./files.mjs";

export const fileLimit = 500;
export const functionLimit = 80;

const sourceFile = /\.(?:[cm]?[jt]sx?|py|sh|proto|sql|css|html|go)$/;

/** @param {string} root @returns {string[]} */
export function checkSizes(root) {
  return listFiles(root).flatMap((path) => {
    if (isGenerated(path) || !mayBeSource(path)) return [];
    const text = readFileSync(`${root}/${path}`, "utf8");
    if (!sourceFile.test(path) && !text.startsWith("#!")) return [];
    const lines = text.replace(/\n$/, "").split("\n");
    const tooLong = lines.length > fileLimit ? [`${path}: ${lines.length} lines, over ${fileLimit}`] : [];
    return [...tooLong, ...(path.endsWith(".py") ? longFunctions(path, lines) : [])];
  });
}

/** A source file by its ending, or one without an ending, which is a script if it starts with #!. @param {string} path */
const mayBeSource = (path) => sourceFile.test(path) || /(?:^|\/)[^/.]+$/.test(path);

/**
 * A function goes to the last line that is indented deeper than its `def`.
 *
 * @param {string} path
 * @param {string[]} lines
 */
function longFunctions(path, lines) {
  return lines.flatMap((line, start) => {
    const match = /^(?<indent>\s*)(?:async\s+)?def\s+(?<name>\w+)/.exec(line);
    if (!match) return [];
    const depth = match.groups?.indent?.length ?? 0;
    let end = start;
    for (let i = start + 1; i < lines.length; i += 1) {
      const text = lines[i] ?? "";
      if (text.trim() === "") continue;
      const isClosing = /^\s*[)\]]/.test(text); // of a parameter list that spans lines
      if (text.search(/\S/) <= depth && !isClosing) break;
      end = i;
    }
    const count = end - start + 1;
    return count > functionLimit
      ? [`${path}:${start + 1}: function ${match.groups?.name} has ${count} lines, over ${functionLimit}`]
      : [];
  });
}

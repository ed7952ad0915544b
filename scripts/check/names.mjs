// Fails on a file or folder whose name says nothing of its role, and on a script that is not in kebab-case.

import { isGenerated, isScript, listFiles } from "./files.mjs";

const empty = new Set("util utils helper helpers common misc type types manager managers".split(" "));
const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** @param {string} root @returns {string[]} */
export function checkNames(root) {
  const paths = listFiles(root).filter((path) => !isGenerated(path));
  return [...paths.flatMap(emptyNames), ...paths.filter(isScript).flatMap(notKebab)].sort();
}

/** Also at the end of a longer name: `volume-manager.ts`, `string_utils.py`. @param {string} path */
function emptyNames(path) {
  const bad = path.split("/").find((part) => empty.has(stem(part).split(/[-_]/).at(-1) ?? ""));
  return bad ? [`${path}: "${stem(bad)}" does not say what it is for`] : [];
}

/** @param {string} path */
function notKebab(path) {
  const name = path.split("/").at(-1) ?? "";
  return name.startsWith(".") || kebab.test(stem(name)) ? [] : [`${path}: "${stem(name)}" is not in kebab-case`];
}

/** @param {string} name */
const stem = (name) => name.replace(/\..*$/, "");

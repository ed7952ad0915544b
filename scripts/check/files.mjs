// The files of the repository that people wrote, as paths from its root with forward slashes.

import { readdirSync } from "node:fs";

const skipped = new Set([".git", ".cache", "node_modules", "dist", "coverage", "__pycache__", ".venv"]);

/**
 * @param {string} root
 * @param {string} [folder]
 * @returns {string[]}
 */
export function listFiles(root, folder = "") {
  return readdirSync(`${root}/${folder}`, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : listFiles(root, path);
      return entry.isFile() ? [path] : [];
    });
}

/** Generated code is committed, but no rule about writing holds for it. @param {string} path */
export const isGenerated = (path) => /^packages\/[^/]+\/src\/gen\//.test(path);

/** @param {string} path */
export const isScript = (path) => /\.[cm]?[jt]sx?$/.test(path) && !isGenerated(path);

// A folder with the given files, that goes when the test ends.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/**
 * @param {import("node:test").TestContext} t
 * @param {Record<string, string>} files path -> content
 * @returns {string} the folder
 */
export function sampleTree(t, files) {
  const root = mkdtempSync(join(tmpdir(), "lydian-scripts-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

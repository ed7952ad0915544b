// Fails when the committed codecs are not what the .proto files generate today.

import { existsSync, readFileSync } from "node:fs";

/**
 * @param {string} root
 * @param {(command: string, args: string[]) => Promise<string[]>} tool
 * @returns {Promise<string[]>}
 */
export async function checkGenerated(root, tool) {
  const manifest = `${root}/packages/contract/package.json`;
  const hasScript = existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).scripts?.generate !== undefined;
  if (!hasScript)
    return ["packages/contract has no script `generate`, which renews src/gen or, with --check, compares it"];
  return tool("npm", ["run", "--silent", "generate", "-w", "@lydian/contract", "--", "--check"]);
}

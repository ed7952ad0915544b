// The arrows between the folders of packages/server/src.

import { serverAllows, serverLayer, serverLeaves } from "./arrow-table.mjs";

/**
 * @param {string} path the importing file
 * @param {string} target the imported one
 * @returns {string | undefined} what is wrong
 */
export function serverFault(path, target) {
  const [from, to] = [serverPlace(path), serverPlace(target)];
  if (!from || !to) return undefined;
  const stray = [from.folder, to.folder].find((folder) => folder && !serverLayer(folder));
  if (stray) return `server/src/${stray} has no layer (scripts/check/arrow-table.mjs)`;
  if (from.folder && to.folder) {
    return serverAllows(from.folder, to.folder) ? undefined : `${from.folder} must not import ${to.folder}`;
  }
  if (from.folder) return serverLeaves.includes(to.file) ? undefined : `${from.folder} must not import the wiring`;
  if (!serverLeaves.includes(from.file)) return undefined;
  const isBelow = to.folder ? to.folder === "domain" : serverLeaves.includes(to.file);
  return isBelow ? undefined : `${from.file} is imported by every folder, so it imports only domain`;
}

/**
 * @param {string} path
 * @returns {{ folder: string, file: string } | undefined} the folder is "" for files beside the folders; undefined
 *   outside server/src
 */
export function serverPlace(path) {
  const match = /^packages\/server\/src\/(?:(?<folder>[^/]+)\/)?.*?(?<file>[^/.]+)(?:\.[^/]*)?$/.exec(path);
  return match ? { folder: match.groups?.folder ?? "", file: match.groups?.file ?? "" } : undefined;
}

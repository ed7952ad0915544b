/** The layers of images, byte by byte: are they what they were when they were made? */
import {
  baseImageOf,
  type CheckedLayers,
  checkLayers,
  type DamagedLayer,
  imageOfRecord,
  lookAtLayers,
} from "@lydian/worker";

import { isRoot } from "../paths.ts";
import { type Check, type HostFinding, missing, ok, warning } from "./check.ts";

export function layersCheck(cache: string): Check {
  const name = "Layers";
  return {
    name,
    async run() {
      if (!isRoot()) return warning("belong to root and were not read", "run it with sudo");
      const store = await lookAtLayers(cache);
      if (store === undefined) return ok("there are none yet");
      const checked = await checkLayers(store);
      const damaged = await Promise.all(checked.damaged.map(findingOf));
      return [{ name, ...summaryOf(checked) }, ...damaged];
    },
  };
}

function summaryOf({ sound, bytes, unread, damaged }: CheckedLayers): ReturnType<typeof ok> {
  const said = `${sound} (${(bytes / 1e6).toFixed(1)} MB) are what they were when they were made`;
  if (damaged.length > 0) return warning(`${said}, and ${damaged.length} not`, "see below");
  if (unread.length === 0) return ok(said);
  const remedy = "nothing: a worker reads each new layer when it has time, and a later check compares it with that";
  return warning(`${said}; ${unread.length} were never read, such as ${unread[0]}`, remedy);
}

async function findingOf({ id, what, records }: DamagedLayer): Promise<HostFinding> {
  const names = (
    await Promise.all(records.map(async (file) => imageOfRecord(file) ?? (await baseImageOf(file))))
  ).filter((name) => name !== undefined);
  const images = [...new Set(names)];
  const name = `Layer ${id}`;
  if (images.length === 0) {
    return { name, ...missing(`${what}; no image has it`, "lydian gc --unused-for 0s, or later builds go on from it") };
  }
  const options = images.map((image) => `--image ${image}`).join(" ");
  const remedy =
    `stop what runs with it and \`lydian gc ${options}\`: it is made again for the next use ` +
    "(MODAL_FORCE_BUILD=1 makes another one beside it); an image from a file has to be imported again";
  return { name, ...missing(`${what}; it is part of ${images.join(", ")}`, remedy) };
}

/** What the server has stored, byte by byte: is it what its names say, and is all there that is needed? */
import { existsSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";

import { checkContent, contentPlace, holdRemovals, neededBy } from "@lydian/server";

import { takeContentKey } from "../content-place.ts";
import type { DataLayout } from "../paths.ts";
import { amountOf, countedOf } from "../words.ts";
import { type Check, type HostFinding, missing, ok, warning } from "./check.ts";

/** Lines for damaged content; of more only the number is told. */
const mostLines = 20;

export function contentCheck(layout: DataLayout, env: NodeJS.ProcessEnv): Check {
  const name = "Content";
  return {
    name,
    async run() {
      const database = join(layout.server, "store.sqlite");
      if (!existsSync(layout.server)) return ok("there is none yet");
      try {
        await access(database, constants.R_OK);
      } catch {
        return warning("belongs to another user and was not read", "run it with sudo");
      }
      using _held = await holdRemovals(layout.server);
      using place = await contentPlace(layout.server, takeContentKey(env));
      const { content } = await neededBy(database, place, () => new Set<string>());
      const { sound, damaged } = await checkContent(place, content);
      const said = `${countedOf(sound.files, "stored file is", "stored files are")} what their names say (${amountOf(sound.bytes)})`;
      if (damaged.length === 0) return ok(said);
      const findings = damaged.slice(0, mostLines).map(({ sha256, what, isNeeded }): HostFinding => {
        const finding = isNeeded
          ? missing(`${what}; something needs it`, "take it from a backup: lydian restore, or store it again")
          : warning(`${what}; nothing needs it`, "nothing: lydian gc removes it after a time");
        return { name: `Content ${sha256.slice(0, 12)}`, ...finding };
      });
      return [{ name, ...warning(`${said}; damaged or missing: ${damaged.length}`, "see below") }, ...findings];
    },
  };
}

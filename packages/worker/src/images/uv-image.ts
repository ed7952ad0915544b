/** The image with nothing but uv in it, made of the package index's wheel of that version. */
import { chmod, copyFile } from "node:fs/promises";
import { join } from "node:path";

import type { Interpreters } from "../runners/interpreters.ts";
import { fetchPrograms, newestVersion } from "./index-wheel.ts";
import type { LayerRecipe, Waiting } from "./layer-builds.ts";
import { layerId } from "./layer-id.ts";

/** `version`: absent for the newest, which is asked for here, since a layer is named by what is in it. */
export async function uvRecipe(
  version: string | undefined,
  interpreters: Interpreters,
  waiting: Waiting,
): Promise<LayerRecipe> {
  const { program } = await interpreters.any();
  const exact = version ?? (await newestVersion(program, "uv", waiting.signal));
  return {
    id: layerId(`uv-${exact}`, ["uv", exact, process.arch]),
    fill: ({ steps, diff, scratch, signal }) =>
      steps.run(`Fetching uv ${exact} from the package index`, `Fetched uv ${exact}`, async () => {
        const programs = await fetchPrograms(program, { name: "uv", version: exact }, scratch, signal);
        for (const name of ["uv", "uvx"]) {
          await copyFile(join(programs, name), join(diff, name));
          await chmod(join(diff, name), 0o755);
        }
      }),
  };
}

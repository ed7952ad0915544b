/** The root file system of the runtime's tests, made once on this host and kept from one run to the next. */
import { execFile } from "node:child_process";
import { readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { type Layer, LayerStore } from "@lydian/worker/src/layers/index";

const run = promisify(execFile);

export const testLayers = "/var/cache/lydian-test/layers";

export const openTestLayers = (): Promise<LayerStore> => LayerStore.open(testLayers);

/** A small Debian with Python and Perl, made once on this host. */
export function debian(layers: LayerStore): Promise<Layer> {
  return layers.make("test-debian-2", async (diff, scratch) => {
    const { stdout } = await run("apt-config", ["dump"]);
    const settings = join(scratch, "apt.conf");
    await writeFile(
      settings,
      stdout
        .split("\n")
        .filter((line) => line.startsWith("Acquire::"))
        .join("\n"),
    );
    const exclude = ["/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*"];
    await run(
      "mmdebstrap",
      [
        ...["--mode=root", "--variant=minbase", "--include=python3", `--aptopt=${settings}`],
        ...['--aptopt=Apt::Install-Recommends "false"', ...exclude.map((path) => `--dpkgopt=path-exclude=${path}`)],
        ...["bookworm", join(scratch, "debian"), "/etc/apt/sources.list.d/debian.sources"],
      ],
      { maxBuffer: 64 * 1024 * 1024 },
    );
    for (const name of await readdir(join(scratch, "debian"))) {
      await rename(join(scratch, "debian", name), join(diff, name));
    }
  });
}

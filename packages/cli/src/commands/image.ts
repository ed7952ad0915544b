/** `lydian image`: the base images that this machine has, and images from files for machines without a registry. */
import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";

import { createLogger, messageOf, PlatformError, systemClock } from "@lydian/kit";
import { type BaseImages, type KnownImage, openHostStore } from "@lydian/worker";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus } from "../command.ts";
import { defaultCacheFolder, isRoot } from "../paths.ts";
import { StopSignals } from "../stop-signals.ts";
import { type Column, tableOf } from "../table.ts";
import { jsonOption } from "./options.ts";
import type { Terminal } from "../terminal.ts";

interface ListOptions {
  json?: boolean;
}

interface ImportOptions {
  name?: string;
}

const list: CliCommand<ListOptions> = {
  name: "list",
  summary: "list the base images that this machine has",
  description: "Lists the base images that platforms of this machine have pulled, made or been given, with their size.",
  options: [jsonOption()],
  examples: [{ line: "lydian image list", effect: "names, sizes, and where each comes from" }],
  run: async ({ json }, terminal) => {
    const images = await openImages(terminal);
    const known = await Promise.all(
      (await images.list()).map(async (image) => ({ ...image, bytes: await sizeOf(image) })),
    );
    if (json === true) {
      const rows = known.map(({ name, digest, bytes, imported, layers }) => {
        return { name, digest, bytes, from: originOf({ imported, digest }), layers: layers.map(({ id }) => id) };
      });
      terminal.print(JSON.stringify(rows, undefined, 2));
    } else if (known.length === 0) terminal.print("No images.");
    else terminal.print(tableOf(known, columns, (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

const importCommand: CliCommand<ImportOptions> = {
  name: "import",
  summary: "take an image from a file",
  description:
    "Takes an image from an archive of docker save, podman save or skopeo copy (docker-archive, oci-archive). From then on " +
    "functions on all platforms of this machine get it for its name, without any registry.",
  operands: [new Argument("<file>", "the archive, unpacked: a .tar")],
  options: [new Option("--name <name>", "what the image is called; default: as the file says")],
  examples: [
    { line: "lydian image import base.tar", effect: "known under the names in the file" },
    { line: "lydian image import base.tar --name team/base:1", effect: "known under this one" },
  ],
  run: async ({ name }, terminal, [file = ""]) => {
    const path = resolve(file);
    await access(path, constants.R_OK).catch((error: unknown) => {
      throw new PlatformError(`cannot read ${file}: ${messageOf(error)}`, { cause: error });
    });
    const images = await openImages(terminal);
    using signals = new StopSignals(systemClock);
    const abort = new AbortController();
    void signals.stop.then(() => abort.abort(new PlatformError("stopped; nothing of the image is kept")));
    try {
      const waiting = { say: (line: string) => terminal.report(line), signal: abort.signal };
      for (const known of await images.import(path, name, waiting)) terminal.print(known);
    } finally {
      await images.close();
    }
    return exitStatus.ok;
  },
};

export const image: CommandGroup = {
  name: "image",
  summary: "look at base images, and take them from files",
  description: "The base images of this machine, which all its platforms share.",
  commands: [list, importCommand],
};

async function openImages({ env }: Terminal): Promise<BaseImages> {
  if (!isRoot()) {
    throw new PlatformError("the images of this machine belong to root", { hint: "run it with sudo" });
  }
  const logger = createLogger("image", "error");
  const options = { cache: defaultCacheFolder(env), registry: undefined, clock: systemClock, logger };
  return (await openHostStore(options)).images;
}

type Row = KnownImage & { readonly bytes: number };

const columns: Column<Row>[] = [
  { title: "IMAGE", text: ({ name }) => name },
  { title: "FROM", text: originOf },
  { title: "LAYERS", text: ({ layers }) => String(layers.length), right: true },
  { title: "SIZE", text: ({ bytes }) => `${(bytes / 1e6).toFixed(1)} MB`, right: true },
  { title: "DIGEST", text: ({ digest }) => digest.slice(0, 19) },
];

function originOf({ imported, digest }: Pick<KnownImage, "imported" | "digest">): string {
  if (imported) return "file";
  return digest.startsWith("sha256:") ? "registry" : "this host";
}

/** On the disk; what several images share counts for each. */
async function sizeOf({ layers }: KnownImage): Promise<number> {
  if (layers.length === 0) return 0;
  const { stdout } = await promisify(execFile)("du", ["-s", "-c", "--block-size=1", ...layers.map(({ diff }) => diff)]);
  return Number(/^(\d+)\ttotal$/m.exec(stdout)?.[1] ?? 0);
}

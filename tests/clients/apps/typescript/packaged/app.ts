/** Imports a package, which its image is given as the lock file says; and reads a file beside it. */
import { readFile } from "node:fs/promises";

import { App } from "lydian";
import { parse } from "smol-toml";

const app = new App("packaged", { includeFiles: ["notes/*.txt"] });

export const read = app.function(async (toml: string) => ({
  parsed: parse(toml),
  asset: await readFile(new URL("./words.txt", import.meta.url), "utf8"),
  note: await readFile(new URL("notes/one.txt", import.meta.url), "utf8"),
}));

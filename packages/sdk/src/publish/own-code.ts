/** This package as containers have it: what programs import, and the runner, in files that share their code. */
import { join } from "node:path";

import { build } from "esbuild";

import { ownFolder } from "../runner/layout.ts";
import type { ShippedFile } from "./shipped-files.ts";

let made: Promise<readonly ShippedFile[]> | undefined;

/** The same for every app of this version: the platform has them from the first one on. */
export function ownCode(): Promise<readonly ShippedFile[]> {
  return (made ??= bundle());
}

async function bundle(): Promise<readonly ShippedFile[]> {
  const here = import.meta.dirname;
  const isSource = import.meta.filename.endsWith(".ts");
  const extension = isSource ? "ts" : "js";
  const { outputFiles } = await build({
    entryPoints: [
      ...["index", "web/index", "web/node"].map((part) => ({
        in: join(here, "..", `${part}.${extension}`),
        out: part,
      })),
      { in: join(here, "..", "runner", `main.${extension}`), out: "runner" },
    ],
    bundle: true,
    splitting: true,
    write: false,
    outdir: ownFolder,
    format: "esm",
    platform: "node",
    target: "node24",
    minifyWhitespace: true,
    logLevel: "silent",
    external: ["esbuild"], // no container publishes an app
    ...(isSource && { conditions: ["lydian-source"] }),
  });
  const files = outputFiles.map(({ path, contents }) => ({ remote: path, content: { text: contents }, mode: 0o644 }));
  return [...files, { remote: `${ownFolder}/package.json`, content: { text: '{"type":"module"}\n' }, mode: 0o644 }];
}

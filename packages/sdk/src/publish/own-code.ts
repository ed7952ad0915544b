/** This package as containers have it: what programs import, and the runner, in files that share their code. */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";

import { home, packageFolder } from "../runner/layout.ts";
import { type BundledFile, keepBundle, readBundle, usualCache } from "./bundle-cache.ts";
import type { ShippedFile } from "./shipped-files.ts";

const folderThere = `${home}/${packageFolder}`;

let made: Promise<readonly ShippedFile[]> | undefined;

/** The same for every app of this version: the platform has them from the first one on. */
export function ownCode(): Promise<readonly ShippedFile[]> {
  return (made ??= make());
}

async function make(): Promise<readonly ShippedFile[]> {
  const folder = usualCache();
  const name = createHash("sha256")
    .update(import.meta.filename)
    .digest("hex")
    .slice(0, 16);
  let files = readBundle(folder, name);
  if (files === undefined) {
    const bundled = await bundle();
    files = bundled.files;
    keepBundle(folder, name, bundled.inputs, files);
  }
  const shipped = files.map(({ path, text }) => ({ remote: path, content: { text }, mode: 0o644 }));
  return [...shipped, { remote: `${folderThere}/package.json`, content: { text: '{"type":"module"}\n' }, mode: 0o644 }];
}

async function bundle(): Promise<{ inputs: readonly string[]; files: readonly BundledFile[] }> {
  const here = import.meta.dirname;
  const isSource = import.meta.filename.endsWith(".ts");
  const extension = isSource ? "ts" : "js";
  const { build } = await import("esbuild"); // not loaded where the bundle is kept
  const { outputFiles, metafile } = await build({
    metafile: true,
    absWorkingDir: here,
    entryPoints: [
      ...["index", "web/index", "web/node"].map((part) => ({
        in: join(here, "..", `${part}.${extension}`),
        out: part,
      })),
      { in: join(here, "..", "runner", `main.${extension}`), out: "runner" },
      { in: join(here, "..", "runner", `build.${extension}`), out: "build" },
      { in: join(here, "..", "runner", `ahead-thread.${extension}`), out: "ahead-thread" },
    ],
    bundle: true,
    splitting: true,
    write: false,
    outdir: folderThere,
    format: "esm",
    platform: "node",
    target: "node22",
    minifyWhitespace: true,
    logLevel: "silent",
    external: ["esbuild"], // no container publishes an app
    ...(isSource && { conditions: ["lydian-source"] }),
  });
  return {
    inputs: Object.keys(metafile.inputs).map((path) => resolve(here, path)),
    files: outputFiles.map(({ path, text }) => ({ path, text })),
  };
}

/** A Dockerfile of this machine: its lines, and the files that its COPY and ADD can take. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { InvalidError } from "../errors.ts";
import type { Dockerfile } from "../objects/image.ts";
import { isSecret, localFiles, type ShippedFile } from "./shipped-files.ts";

export function readDockerfile({ path, context = dirname(path) }: Dockerfile): {
  lines: readonly string[];
  files: readonly ShippedFile[];
} {
  if (!existsSync(path)) throw new InvalidError(`${path} does not exist, and is to be an image's Dockerfile`);
  const lines = readFileSync(path, "utf8").split("\n");
  const takesFiles = lines.some((line) => /^\s*(?:COPY|ADD)\s/i.test(line));
  if (!takesFiles) return { lines, files: [] };
  const found = localFiles({ local: context, remote: "/", ignore: ignoredIn(context) });
  return { lines, files: found.filter(({ remote }) => !isSecret(remote)) };
}

/** Never: what git and the tools of packages keep beside a program. */
const always = [".git", "node_modules"];

function ignoredIn(context: string): string[] {
  const file = join(context, ".dockerignore");
  if (!existsSync(file)) return always;
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.trim().replace(/^\/|\/$/g, ""));
  const back = lines.find((line) => line.startsWith("!"));
  if (back !== undefined)
    throw new InvalidError(`${file} takes something back by ${JSON.stringify(back)}, which is not understood here`);
  return [...always, ...lines.filter((line) => line !== "" && !line.startsWith("#"))];
}

/** Which files go to the platform beside the code, and which never do. */
import { execFile } from "node:child_process";
import { existsSync, globSync, readdirSync, statSync } from "node:fs";
import { basename, isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { InvalidError } from "../errors.ts";
import type { LocalFiles } from "../objects/image.ts";

/** What is to be at a path of the container. */
export interface ShippedFile {
  /** Absolute in the container. */
  readonly remote: string;
  readonly content: { readonly file: string } | { readonly text: string | Uint8Array };
  /** Permission bits. */
  readonly mode: number;
}

/** Their names say that they hold secrets, or are no part of a program. */
const secretNames = [
  /^\.env(?:\..*)?$/,
  /^\.npmrc$/,
  /^\.netrc$/,
  /\.(?:pem|key|p12|pfx)$/,
  /^id_(?:rsa|dsa|ecdsa|ed25519)$/,
];
const staysHint =
  "its name or git says that it stays here. Give its content by a Secret, or name it with image.addLocalFile";
const skippedFolders = new Set(["node_modules", ".git", ".hg", ".svn"]);

export const isSecret = (path: string): boolean => secretNames.some((name) => name.test(basename(path)));

/**
 * Assets that sources name, and what `globs` match below the root; from the root. Of the globs' matches secrets and what git
 * ignores stay here; one that matches nothing else is an error, and so is a secret or an ignored file that a source names.
 */
export async function filesBeside(
  root: string,
  assets: readonly string[],
  globs: readonly string[],
): Promise<string[]> {
  const named = assets.filter((path) => existsSync(join(root, path)));
  const matches = globs.map((glob) => ({ glob, paths: matching(root, glob) }));
  const ignored = await ignoredByGit(root, [...named, ...matches.flatMap(({ paths }) => paths)]);
  const stays = (path: string): boolean => isSecret(path) || ignored.has(path);
  const idle = matches.find(({ paths }) => paths.every(stays));
  if (idle !== undefined) {
    throw new InvalidError(
      `includeFiles has ${JSON.stringify(idle.glob)}, and ${idle.paths.join(", ")} does not ship`,
      {
        hint: staysHint,
      },
    );
  }
  const found = matches.flatMap(({ paths }) => paths).filter((path) => !stays(path));
  const refused = named.find((path) => stays(path) || path.startsWith(".."));
  if (refused !== undefined) {
    throw new InvalidError(`${join(root, refused)} is named by new URL(…, import.meta.url), and does not ship`, {
      hint: refused.startsWith("..") ? `it lies outside of ${root}` : staysHint,
    });
  }
  return [...new Set([...named.flatMap((path) => below(root, path)), ...found])];
}

function matching(root: string, glob: string): string[] {
  if (isAbsolute(glob) || glob.split("/").includes("..")) {
    throw new InvalidError(`includeFiles has ${JSON.stringify(glob)}, which leads out of ${root}`);
  }
  const matches = globSync(glob, { cwd: root, exclude: (path) => skippedFolders.has(basename(path)) });
  const files = matches.map((path) => path.split(sep).join("/")).filter((path) => statSync(join(root, path)).isFile());
  if (files.length === 0)
    throw new InvalidError(`includeFiles has ${JSON.stringify(glob)}, which matches no file below ${root}`);
  return files;
}

function below(root: string, path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((each) => !isSecret(each) && !each.split("/").some((part) => skippedFolders.has(part)));
}

/** None where there is no git, or no repository of it. */
async function ignoredByGit(root: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
  if (paths.length === 0) return new Set();
  return await new Promise((resolve) => {
    const child = execFile(
      "git",
      ["check-ignore", "--stdin", "-z"],
      { cwd: root, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout) => resolve(new Set(stdout.split("\0").filter((path) => path !== ""))),
    );
    child.stdin?.on("error", () => {}); // it has ended, and said why by what it answers
    child.stdin?.end(paths.join("\0"));
  });
}

/** Files that an image names, where they are to be. */
export function localFiles({ local, remote, ignore }: LocalFiles): ShippedFile[] {
  const path = local instanceof URL ? fileURLToPath(local) : local;
  if (!existsSync(path)) throw new InvalidError(`${path} does not exist, and is to be ${remote} of an image`);
  if (!statSync(path).isDirectory()) {
    return [
      {
        remote: remote.endsWith("/") ? `${remote}${basename(path)}` : remote,
        content: { file: path },
        mode: modeOf(path),
      },
    ];
  }
  const left = new Set(ignore.flatMap((glob) => globSync(glob.includes("/") ? glob : `**/${glob}`, { cwd: path })));
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)))
    .filter((each) => !isLeft(each, left))
    .map((each) => {
      const file = join(path, each);
      return {
        remote: `${remote.replace(/\/$/, "")}/${each.split(sep).join("/")}`,
        content: { file },
        mode: modeOf(file),
      };
    });
}

/** It, or a folder that it is in. */
function isLeft(path: string, left: ReadonlySet<string>): boolean {
  const parts = path.split(sep);
  return parts.some((_, count) => left.has(parts.slice(0, count + 1).join(sep)));
}

export const modeOf = (file: string): number => statSync(file).mode & 0o777;

/**
 * Where a build takes packages from: from where the host does, if that is of the image's own release, else from where the
 * image says. One that was made here says nothing; of another release than the host's, it gets its distribution's archive.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { entryKind, type Layer } from "../layers/index.ts";
import { sourcesOf, type SourcesFile } from "./debian-sources.ts";
import { type OsRelease, osRelease } from "./os-release.ts";
import type { PackageSettings } from "./package-settings.ts";

export interface ImageSources extends OsRelease {
  /** Files of apt's that are in the image. */
  readonly files: readonly SourcesFile[];
}

const folder = "etc/apt/sources.list.d";

/** The settings as an image is to see them. Pure. */
export function settingsFor(
  settings: PackageSettings,
  image: ImageSources,
): Pick<PackageSettings, "binds" | "files" | "environment"> {
  const isHosts = image.codename !== "" && image.codename === settings.codename;
  const isForImage = (file: SourcesFile): boolean => isHosts || hasRelease(image.codename, [file]);
  const shown = settings.sources.filter(isForImage);
  const hidden = new Set(settings.sources.filter((file) => !isForImage(file)).map(({ name }) => name));
  const isServed = shown.length > 0 || hasRelease(image.codename, image.files);
  const archive = isServed ? undefined : archiveOf(image);
  return {
    binds: settings.binds.filter(({ path }) => !hidden.has(path)),
    files: [...settings.files, ...(archive === undefined ? [] : [{ path: `/${folder}/archive.list`, text: archive }])],
    environment: settings.environment,
  };
}

/** Reads what an image says of itself, without following any link in it. */
export async function imageSources(stack: readonly Layer[]): Promise<ImageSources> {
  const release = (await readIn(stack, "usr/lib/os-release")) ?? (await readIn(stack, "etc/os-release")) ?? "";
  const names = new Set<string>();
  for (const { diff } of stack) {
    if ((await entryKind(diff, folder)) !== "folder") continue;
    for (const name of await readdir(join(diff, folder))) if (/\.(list|sources)$/.test(name)) names.add(name);
  }
  const files: SourcesFile[] = [];
  for (const name of ["etc/apt/sources.list", ...[...names].sort().map((each) => `${folder}/${each}`)]) {
    const text = await readIn(stack, name);
    if (text !== undefined) files.push({ name: `/${name}`, text });
  }
  return { ...osRelease(release), files };
}

function hasRelease(codename: string, files: readonly SourcesFile[]): boolean {
  const { list, sources } = sourcesOf(codename, files);
  return list + sources !== "";
}

async function readIn(stack: readonly Layer[], path: string): Promise<string | undefined> {
  for (const { diff } of stack) {
    const kind = await entryKind(diff, path);
    if (kind === "file") return await readFile(join(diff, path), "utf8");
    if (kind === "whiteout") return undefined;
  }
  return undefined;
}

/** Undefined for other families, which know where their packages are. */
function archiveOf({ family, codename }: OsRelease): string | undefined {
  if (codename === "") return undefined;
  const keys = `[signed-by=/usr/share/keyrings/${family}-archive-keyring.gpg]`;
  const line = (url: string, suite: string, components: string): string =>
    `deb ${keys} ${url} ${suite} ${components}\n`;
  switch (family) {
    case "debian": {
      const main = "http://deb.debian.org/debian";
      const suites = [codename, `${codename}-updates`].map((suite) => line(main, suite, "main"));
      return suites.join("") + line(`${main}-security`, `${codename}-security`, "main");
    }
    case "ubuntu": {
      const main = process.arch === "x64" ? "http://archive.ubuntu.com/ubuntu" : "http://ports.ubuntu.com/ubuntu-ports";
      const suites = [codename, `${codename}-updates`, `${codename}-security`];
      return suites.map((suite) => line(main, suite, "main universe")).join("");
    }
    case undefined:
      return undefined;
  }
}

/** The layer below every bootstrapped Python: a minimal Debian, or what Debian's tools can make of the host's release. */
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

import { sourcesOf } from "./debian-sources.ts";
import type { LayerRecipe, LayerWork } from "./layer-builds.ts";
import { layerId } from "./layer-id.ts";
import { osRelease } from "./os-release.ts";
import type { PackageSettings } from "./package-settings.ts";
import { contained, runProgram } from "./run-program.ts";

/** What CPython's own modules link to, and what programs expect of any host. */
const packages = [
  ...["ca-certificates", "netbase", "tzdata", "media-types"],
  ...["libssl3", "libffi8", "libsqlite3-0", "libbz2-1.0", "liblzma5", "libreadline8", "libncursesw6"],
  ...["libuuid1", "zlib1g", "libexpat1", "libgdbm6"],
];

/**
 * They stay in the image: what a slim image leaves out, and no sync of each file, since a layer goes to disk as a whole
 * before it is taken for one.
 */
const dpkgOptions = [
  ...["path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/doc/*"],
  ...["path-include=/usr/share/doc/*/copyright", "force-unsafe-io"],
];

/** The minor version that a release brings itself. */
const pythons = new Map([
  ["bookworm", "3.11"],
  ["trixie", "3.13"],
  ["jammy", "3.10"],
  ["noble", "3.12"],
]);

export interface Release {
  /** Such as "bookworm". */
  readonly codename: string;
  /** The minor of its own Python, where it is known. */
  readonly python: string | undefined;
}

/** The newest release that is proven; hosts of other families get this one. */
const defaultCodename = "bookworm";

/**
 * The release to bootstrap: the host's own when its tools can, because its package sources are then known to be reachable
 * and its Pythons run on no older C library than they were built with.
 */
export async function hostRelease(file = "/etc/os-release"): Promise<Release> {
  let text = "";
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  return release(osRelease(text).codename || defaultCodename);
}

export function release(codename: string): Release {
  return { codename, python: pythons.get(codename) };
}

/** `settings` are asked for only when the layer is made. */
export function debianRecipe({ codename }: Release, settings: () => Promise<PackageSettings>): LayerRecipe {
  return {
    id: layerId(codename, ["debian", codename, process.arch, packages, dpkgOptions]),
    async fill(work) {
      await work.steps.run(
        `Making the base system (${codename}) from this host's package sources, once`,
        `Made the base system (${codename})`,
        async () => bootstrap(codename, await settings(), work),
      );
      await clean(work.diff);
    },
  };
}

async function bootstrap(codename: string, settings: PackageSettings, work: LayerWork): Promise<void> {
  if (!(await isInstalled("mmdebstrap"))) {
    throw new PlatformError("a base image cannot be made: mmdebstrap is not installed", {
      hint: "apt-get install mmdebstrap, or let the worker reach an OCI registry",
    });
  }
  const { diff, scratch, signal } = work;
  const conf = join(scratch, "apt.conf");
  await writeFile(conf, aptConf(settings), { mode: 0o600 });
  const mirrors = await writeSources(codename, settings, scratch);
  const command = [
    ...["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", `--include=${packages.join(",")}`],
    ...[`--aptopt=${conf}`, '--aptopt=Apt::Install-Recommends "false"'],
    ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
    ...[codename, diff, ...mirrors],
  ];
  await runProgram(contained(withUmask(command), "host"), {
    name: "mmdebstrap",
    env: { ...settings.environment, PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", LANG: "C.UTF-8" },
    signal,
    hint: "it takes packages from where apt on this host takes them; are they reachable (apt-get update)?",
  });
}

/** mmdebstrap's apt looks for everything below its target, so the host's settings are told to it as options. */
function aptConf(settings: PackageSettings): string {
  const shown = new Set(settings.binds.map(({ path }) => path));
  const passwords = shown.has("/etc/apt/auth.conf") ? ['Dir::Etc::netrc "/etc/apt/auth.conf";\n'] : [];
  const more = [...shown].some((path) => path.startsWith("/etc/apt/auth.conf.d/"));
  if (more) passwords.push('Dir::Etc::netrcparts "/etc/apt/auth.conf.d";\n');
  const own = settings.files.filter(({ path }) => path.startsWith("/etc/apt/"));
  return [...own.map(({ text }) => text), ...passwords].join("");
}

async function writeSources(codename: string, settings: PackageSettings, scratch: string): Promise<string[]> {
  const written: string[] = [];
  const { list, sources } = sourcesOf(codename, settings.sources);
  for (const [name, text] of [["host.list", list] as const, ["host.sources", sources] as const]) {
    if (text === "") continue;
    await writeFile(join(scratch, name), text, { mode: 0o644 });
    written.push(join(scratch, name));
  }
  return written; // none: mmdebstrap knows the distribution's own
}

function withUmask(command: readonly string[]): string[] {
  return ["/bin/sh", "-c", 'umask 022; exec "$@"', "sh", ...command];
}

async function isInstalled(program: string): Promise<boolean> {
  for (const folder of ["/usr/bin", "/usr/sbin", "/bin"]) {
    if ((await readdir(folder)).includes(program)) return true;
  }
  return false;
}

/** Takes out what came from the host or belongs to no image; every path here is one of the bootstrap's own. */
async function clean(diff: string): Promise<void> {
  await rm(join(diff, "etc/apt/apt.conf.d/99mmdebstrap"), { force: true });
  await rm(join(diff, "etc/apt/sources.list"), { force: true });
  await emptyFolder(join(diff, "etc/apt/sources.list.d"));
  await emptyFolder(join(diff, "etc/apt/preferences.d"));
  await removeForeignKeys(diff);
  await emptyFolder(join(diff, "dev")); // the runtime brings its own
  await emptyPackageCaches(diff);
  await writeFile(join(diff, "etc/resolv.conf"), "", { mode: 0o644 });
  await rm(join(diff, "etc/hostname"), { force: true });
  await writeFile(join(diff, "etc/hosts"), "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n", {
    mode: 0o644,
  });
}

/** The host's own keys are copied beside those of the keyring's package, whose list tells them apart. */
async function removeForeignKeys(diff: string): Promise<void> {
  const folder = "/etc/apt/trusted.gpg.d";
  const own = new Set<string>();
  for (const name of await readdir(join(diff, "var/lib/dpkg/info"))) {
    if (!name.endsWith("-keyring.list")) continue;
    const listed = await readFile(join(diff, "var/lib/dpkg/info", name), "utf8");
    for (const path of listed.split("\n")) own.add(path);
  }
  for (const name of await readdir(join(diff, folder))) {
    if (!own.has(`${folder}/${name}`)) await rm(join(diff, folder, name), { recursive: true });
  }
}

/** What apt and ldconfig keep for themselves, in an image or in what a build wrote. */
export async function emptyPackageCaches(diff: string): Promise<void> {
  await emptyFolder(join(diff, "var/lib/apt/lists"));
  await emptyFolder(join(diff, "var/cache/apt"));
  await emptyFolder(join(diff, "var/cache/ldconfig"));
  await emptyFolder(join(diff, "var/log/apt"));
  for (const log of ["dpkg.log", "alternatives.log", "bootstrap.log"]) {
    await rm(join(diff, "var/log", log), { force: true });
  }
  await emptyFolder(join(diff, "tmp"));
}

async function emptyFolder(folder: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
}

/**
 * The rule that a build inherits the host's package settings, as data: what of the host's files and environment apt, pip,
 * uv, npm and git are to see while an image is built, so that its proxies, mirrors, indexes and certificates hold there
 * too. It is shown to a build read-only and never becomes part of a layer; it may hold passwords, so it is never logged.
 */
import { execFile } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { hasCode } from "@lydian/kit";

import { keysOf, type SourcesFile } from "./debian-sources.ts";
import { osRelease } from "./os-release.ts";

export interface PackageSettings {
  /** Files and folders of the host and the place where a build sees them. */
  readonly binds: readonly { readonly source: string; readonly path: string }[];
  /** Files that are made for the build. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly environment: Readonly<Record<string, string>>;
  /** What will not work inside a network namespace of a build's own, in sentences for people. */
  readonly warnings: readonly string[];
  /** The host's package sources, which are among the binds; for who must choose among them. */
  readonly sources: readonly SourcesFile[];
  /** The host's own release, such as "bookworm", whose packages they bring; empty where it has others. */
  readonly codename: string;
}

/** Where the settings are looked for; tests have a small host of their own. */
export interface SettingsHost {
  /** Stands before every path that is read. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** What `apt-config dump` prints; empty on a host without apt. */
  readonly aptConfig: () => Promise<string>;
}

export const thisHost: SettingsHost = { root: "/", env: process.env, home: homedir(), aptConfig };

/** Every image has this folder to itself, but for the bundle in it, so that its package of certificates can be updated. */
const certificates = "/etc/ssl/certs";

const fixedFiles = [
  `${certificates}/ca-certificates.crt`,
  "/etc/apt/auth.conf",
  "/etc/pip.conf",
  "/etc/uv/uv.toml",
  "/etc/npmrc",
  "/usr/etc/npmrc",
];

/** A variable is inherited when its name is one of these or begins like one of those. */
const variables = new Set([
  ...["http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"],
  ...["NODE_EXTRA_CA_CERTS", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"],
]);
const families = /^(PIP|UV|npm_config)_/i;

/** These say where to install, to cache or to work on this host, which is not a build's business; npm sets some for all. */
const hostsOwn = new RegExp(
  "^(PIP|UV|npm_config)_(" +
    "prefix|target|root|user|cache|cache_dir|src|log|log_file|python.*|no_cache|require_virtualenv|report|" +
    "tool_.*|project.*|working_directory|system_python|managed_python|env_file|credentials_dir|install_dir|" +
    "local_prefix|global|global_prefix|globalconfig|userconfig|init_module|node_gyp|user_agent|tmp|nodedir|script_shell" +
    ")$",
  "i",
);

export async function packageSettings(host: SettingsHost = thisHost): Promise<PackageSettings> {
  const sources = await sourcesFiles(host);
  const { environment, paths, warnings } = await inheritedVariables(host);
  const resolver = await resolverFile(host);
  const npmrc = host.env["npm_config_userconfig"] ?? join(host.home, ".npmrc");
  const places = new Map<string, string>(); // by the place in the build, so that none is bound twice
  const offer = async (source: string, path = source): Promise<void> => {
    if (await isThere(host, source)) places.set(path, source);
  };
  for (const file of fixedFiles) await offer(file);
  for (const name of await list(host, "/etc/apt/auth.conf.d")) await offer(`/etc/apt/auth.conf.d/${name}`);
  for (const file of sources) {
    await offer(file.name);
    for (const key of keysOf(file)) if (!isDistributions(key)) await offer(key);
  }
  // A person's own settings are nobody else's to read; a build's processes are other users, so it is given copies.
  const personal = await personalFiles(host, {
    "/root/.npmrc": npmrc,
    "/root/.config/pip/pip.conf": join(host.home, ".config/pip/pip.conf"),
  });
  for (const path of paths) await offer(path);
  if (resolver.file !== undefined) await offer(resolver.file, "/etc/resolv.conf");
  const acquire = acquireSettings(await host.aptConfig());
  return {
    binds: outermost(places).map(([path, source]) => ({ path, source: join(host.root, source) })),
    files: [...(acquire === "" ? [] : [{ path: "/etc/apt/apt.conf.d/00host", text: acquire }]), ...personal],
    environment,
    warnings: [...warnings, ...resolver.warnings],
    sources,
    codename: osRelease((await read(host, "/etc/os-release")) ?? "").codename,
  };
}

/** Of an operator who wants none of the host's: names are looked up, and that is all. */
export async function noPackageSettings(host: SettingsHost = thisHost): Promise<PackageSettings> {
  const { file, warnings } = await resolverFile(host);
  const binds = file === undefined ? [] : [{ source: join(host.root, file), path: "/etc/resolv.conf" }];
  return { binds, files: [], environment: {}, warnings, sources: [], codename: "" };
}

/** What a running container is shown of these settings. */
export type ContainerSettings = Pick<PackageSettings, "binds" | "environment">;

/**
 * What code that runs needs to reach the outside as the host does: its certificates, and proxies. Not what it would only
 * install with, and no proxy with a password in its address, which would be the code's to read.
 */
export function containerSettings({ binds, environment }: PackageSettings): ContainerSettings {
  const isCertificate = (name: string): boolean =>
    /(CERT|CA_BUNDLE|CAINFO|CA_CERTS|ROOTS)/.test(name) && variables.has(name);
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (isCertificate(name) || (/_proxy$/i.test(name) && !value.includes("@"))) kept[name] = value;
  }
  const isProxied = Object.keys(kept).some((name) => /^(https?|all)_proxy$/i.test(name));
  const own = ["localhost", "127.0.0.1", "::1"]; // the platform itself, which is asked on the container's loopback
  if (isProxied)
    for (const name of ["no_proxy", "NO_PROXY"]) kept[name] = [...own, ...(kept[name] ? [kept[name]] : [])].join();
  const shown = new Set([`${certificates}/ca-certificates.crt`, ...Object.values(kept)]);
  return { binds: binds.filter(({ path }) => shown.has(path)), environment: kept };
}

async function personalFiles(
  host: SettingsHost,
  places: Readonly<Record<string, string>>,
): Promise<{ path: string; text: string }[]> {
  const found = await Promise.all(
    Object.entries(places).map(async ([path, file]) => ({ path, text: (await read(host, file)) ?? "" })),
  );
  return found.filter(({ text }) => text !== "");
}

/** In the order of mounting: a folder before what goes into it, without what it brings itself. */
function outermost(places: ReadonlyMap<string, string>): [path: string, source: string][] {
  const kept: [string, string][] = [];
  for (const [path, source] of [...places].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isShown = kept.some(
      ([outer, from]) => path.startsWith(`${outer}/`) && source === from + path.slice(outer.length),
    );
    if (!isShown) kept.push([path, source]);
  }
  return kept;
}

/** apt's settings for fetching: proxies, certificates, dates. */
export function acquireSettings(dump: string): string {
  const lines = dump.split("\n").filter((line) => line.startsWith("Acquire::"));
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** Keys that every image of the distribution has; bound, its own keyring package could not replace them. */
function isDistributions(key: string): boolean {
  return /^\/usr\/share\/keyrings\/(debian|ubuntu)-archive-/.test(key);
}

async function sourcesFiles(host: SettingsHost): Promise<SourcesFile[]> {
  const folder = "/etc/apt/sources.list.d";
  const names = (await list(host, folder)).filter((name) => /\.(list|sources)$/.test(name));
  const found: SourcesFile[] = [];
  for (const name of ["/etc/apt/sources.list", ...names.map((name) => `${folder}/${name}`)]) {
    const text = await read(host, name);
    if (text !== undefined && text.trim() !== "") found.push({ name, text });
  }
  return found;
}

async function inheritedVariables(host: SettingsHost) {
  const environment: Record<string, string> = {};
  const paths: string[] = [];
  const warnings: string[] = [];
  for (const [name, value] of Object.entries(host.env)) {
    if (value === undefined || value === "") continue;
    if (!variables.has(name) && (!families.test(name) || hostsOwn.test(name))) continue;
    if (value.startsWith("/")) {
      // A path of this host means something to a build only where it can be shown there.
      if (value === "/" || !(await isThere(host, value))) continue;
      if (value !== certificates) paths.push(value);
    }
    if (/^(https?|all)_proxy$/i.test(name) && isLoopback(value)) {
      warnings.push(`${name} names this host's own loopback, which no container can reach`);
    }
    environment[name] = value;
  }
  return { environment, paths, warnings };
}

async function resolverFile(host: SettingsHost): Promise<{ file?: string; warnings: string[] }> {
  const text = await read(host, "/etc/resolv.conf");
  if (text === undefined) return { warnings: [] };
  const servers = [...text.matchAll(/^nameserver\s+(?<server>\S+)/gm)].map(({ groups }) => groups?.["server"] ?? "");
  if (servers.length === 0 || !servers.every((server) => isLoopback(server)))
    return { file: "/etc/resolv.conf", warnings: [] };
  const upstream = "/run/systemd/resolve/resolv.conf"; // what systemd's stub asks in its turn
  if (await isThere(host, upstream)) return { file: upstream, warnings: [] };
  const warning = "/etc/resolv.conf names only this host's own loopback, which no container can reach";
  return { file: "/etc/resolv.conf", warnings: [warning] };
}

/** Of a URL, a host with or without a port, or an address. */
function isLoopback(place: string): boolean {
  const host = place.replace(/^[a-z0-9]+:\/\//i, "").replace(/^[^/@]*@/, "");
  return /^(localhost|127\.[\d.]+|\[?::1\]?)(?=[:/]|$)/i.test(host);
}

async function aptConfig(): Promise<string> {
  try {
    const options = { cwd: "/", timeout: 10_000, maxBuffer: 4 * 1024 * 1024 };
    return (await promisify(execFile)("apt-config", ["dump"], options)).stdout;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "";
    throw error;
  }
}

async function isThere(host: SettingsHost, path: string): Promise<boolean> {
  try {
    await stat(join(host.root, path));
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP")) return false;
    throw error;
  }
}

async function read(host: SettingsHost, path: string): Promise<string | undefined> {
  try {
    return await readFile(join(host.root, path), "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EISDIR")) return undefined;
    throw error;
  }
}

async function list(host: SettingsHost, folder: string): Promise<string[]> {
  try {
    return (await readdir(join(host.root, folder))).sort();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

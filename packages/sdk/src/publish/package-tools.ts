/** The tools that install packages: what their lock files are like, and how each is run in an image. */
import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";

import { InvalidError } from "../errors.ts";
import { isOwnName, readManifest } from "./manifests.ts";
import { type LockPlace, stripNpmLock } from "./npm-lock.ts";

export interface LockTool {
  /** As `packageManager` names it. */
  readonly manager: "npm" | "pnpm" | "yarn" | "bun";
  /** For people. */
  readonly title: string;
  /** Its lock file is held against the manifests as they are, so that they keep what is for development. */
  readonly keepsDev: boolean;
  readonly workspaceGlobs: (root: string) => readonly string[];
  /** The lock file without this package, which comes with the program. Throws for what lies on this machine alone. */
  readonly strip: (text: string, place: LockPlace) => string;
  /** More files that it reads. */
  readonly settings: (root: string) => Readonly<Record<string, string>>;
  /** `version`: what `packageManager` says; otherwise one that reads this lock file. */
  readonly command: (version: string | undefined, lock: string) => string;
}

/** Caches of the tools, which stay out of the layer. */
const scratch = "/tmp/lydian-packages";
/** The project's own settings: not .npmrc, which in the program's root is that of the builder's home. */
const settingsName = ".lydian-npmrc";
const npm = `npm_config_globalconfig=/root/${settingsName} LD_LIBRARY_PATH=/usr/local/lib npm`;
const quiet = "--no-audit --no-fund --update-notifier=false";
const run = (tool: string, command: string): string =>
  `${npm} exec --yes ${quiet} --cache ${scratch}/npm --package ${tool} -- ${command} && rm -rf ${scratch}`;

function workspacesIn(root: string): readonly string[] {
  const { workspaces = [] } = readManifest(join(root, "package.json"));
  return Array.isArray(workspaces) ? workspaces : (workspaces.packages ?? []);
}

/** Lines of .npmrc that name registries, and those that take a token from the environment; none with a token in it. */
function npmSettings(root: string): Record<string, string> {
  const file = join(root, ".npmrc");
  if (!existsSync(file)) return {};
  const lines = readFileSync(file, "utf8").split("\n");
  const safe = lines.filter(
    (line) =>
      /^(?:@[\w.-]+:)?registry\s*=\s*https?:\/\/[^@\s]+$/.test(line) || /^\/\/[^=\s]+=\s*\$\{\w+\}\s*$/.test(line),
  );
  return safe.length === 0 ? {} : { [settingsName]: `${safe.join("\n")}\n` };
}

const npmTool: LockTool = {
  manager: "npm",
  title: "npm ci",
  keepsDev: false,
  workspaceGlobs: workspacesIn,
  strip: stripNpmLock,
  settings: npmSettings,
  command: () => `${npm} ci --omit=dev ${quiet} --cache ${scratch} && rm -rf ${scratch}`,
};

/** Throws for packages that lie on this machine, whatever the form of the lock file. */
function refuseLocal(text: string, local: RegExp, lockName: string): void {
  const found = [...text.matchAll(new RegExp(local, `${local.flags}g`))].find(([, name = ""]) => !isOwnName(name));
  if (found === undefined) return;
  throw new InvalidError(`${lockName} has ${found[1]}, which lies on this machine`, {
    hint: "make it a package of the workspace, publish it to a registry, or import its files by a relative path",
  });
}

/** Links of pnpm's lock file are from the package that has them; those within the workspace are its packages. */
function refuseOutside(text: string, lockName: string): void {
  let importer = ".";
  for (const line of text.split("\n")) {
    importer = /^ {2}(\S+):$/.exec(line)?.[1] ?? importer;
    const [, path] = /^ +version: link:(.+)$/.exec(line) ?? [];
    if (path === undefined || !(isAbsolute(path) || join(importer, path).startsWith(".."))) continue;
    throw new InvalidError(`${lockName} links ${path}, which lies outside of the workspace`, {
      hint: "make it a package of the workspace, or publish it to a registry",
    });
  }
}

const pnpmTool: LockTool = {
  manager: "pnpm",
  title: "pnpm install",
  keepsDev: true,
  workspaceGlobs: (root) => {
    const file = join(root, "pnpm-workspace.yaml");
    if (!existsSync(file)) return [];
    const [, list = ""] =
      /^packages:[ \t]*\n((?:[ \t]*(?:-[^\n]*|#[^\n]*)?\n?)*)/m.exec(readFileSync(file, "utf8")) ?? [];
    return [...list.matchAll(/^\s*-\s*(?:"([^"]+)"|'([^']+)'|([^\s#]+))/gm)].map(([, a, b, c]) => a ?? b ?? c ?? "");
  },
  strip: (text, { lockName }) => {
    const own = text.replaceAll(/^( +)'?lydian'?:\n\1 {2}specifier: .*\n\1 {2}version: .*\n/gm, "");
    refuseLocal(own, /^ +'?([^\s':]+)'?:\n +specifier: .*\n +version: file:/m, lockName);
    refuseOutside(own, lockName);
    return own;
  },
  settings: (root) => {
    const file = join(root, "pnpm-workspace.yaml");
    return { ...npmSettings(root), ...(existsSync(file) && { "pnpm-workspace.yaml": readFileSync(file, "utf8") }) };
  },
  command: (version, lock) => {
    const form = /^lockfileVersion: '?([\d.]+)/m.exec(lock)?.[1] ?? "";
    const usual = form.startsWith("9") ? "10.18.3" : form.startsWith("6") ? "8.15.9" : "7.33.7";
    const options = `--prod --frozen-lockfile --store-dir=${scratch}/store --config.package-import-method=copy`;
    return run(`pnpm@${version ?? usual}`, `pnpm install ${options}`);
  },
};

const yarnSettings = (root: string): Record<string, string> => npmSettings(root);

const yarnClassic: LockTool = {
  manager: "yarn",
  title: "yarn install",
  keepsDev: true,
  workspaceGlobs: workspacesIn,
  strip: (text, { lockName }) => {
    refuseLocal(text, /^"?([^\s"]+?)@(?:file|link):/m, lockName);
    return text;
  },
  settings: yarnSettings,
  command: (version) =>
    run(
      `yarn@${version ?? "1.22.22"}`,
      `yarn install --production --frozen-lockfile --non-interactive --cache-folder ${scratch}/yarn`,
    ),
};

const yarnBerry: LockTool = {
  ...yarnClassic,
  strip: (text, { lockName }) => {
    refuseLocal(text, /^"?([^\s"]+?)@(?:file|link|portal):/m, lockName);
    return text;
  },
  title: "yarn workspaces focus",
  // Packages in node_modules, whatever the project's own layout is: there is no loader of Plug'n'Play in containers.
  command: (version) => {
    const env = `YARN_NODE_LINKER=node-modules YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_GLOBAL_CACHE=true YARN_GLOBAL_FOLDER=${scratch}/yarn`;
    return `${env} ${run(`@yarnpkg/cli-dist@${version ?? "4.10.3"}`, "yarn workspaces focus --all --production")}`;
  },
};

const bunTool: LockTool = {
  manager: "bun",
  title: "bun install",
  keepsDev: true,
  workspaceGlobs: workspacesIn,
  strip: (text, { lockName }) => {
    const own = text.replaceAll(/^\s*"lydian": "[^"\n]*",?\n/gm, "").replaceAll(/^\s*"lydian": \[.*\],?\n\n?/gm, "");
    refuseLocal(own, /^\s*"([^"]+)": \["[^"]*@(?:file|link):/m, lockName);
    return own;
  },
  settings: npmSettings,
  command: (version) =>
    run(
      `bun@${version ?? "1.3.1"}`,
      `bun install --production --frozen-lockfile --no-progress --cache-dir ${scratch}/bun --backend=copyfile`,
    ),
};

/** By the lock file's name; the tool may depend on what is in it. */
export const lockTools: Readonly<Record<string, (text: string) => LockTool>> = {
  "package-lock.json": () => npmTool,
  "npm-shrinkwrap.json": () => npmTool,
  "pnpm-lock.yaml": () => pnpmTool,
  "yarn.lock": (text) => (/^__metadata:/m.test(text) ? yarnBerry : yarnClassic),
  "bun.lock": () => bunTool,
};

/**
 * What a program consists of: the files that it imports, found and transformed by esbuild, and the packages that it names. A
 * file is the user's own when its real path has no node_modules in it, so linked packages of a workspace are source as well.
 */
import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname, join, relative, resolve, sep } from "node:path";

import { build, type BuildFailure, type Metafile, type OnResolveArgs, type Plugin } from "esbuild";

import { InvalidError } from "../errors.ts";

export interface SourceModule {
  /** From the root, with forward slashes; the same in the container. */
  readonly path: string;
  /** As it runs; undefined for what Node runs as it is, such as JSON and CommonJS. */
  readonly code: string | undefined;
  /** Which of these files an import of it means, by what the import says. */
  readonly imports: Readonly<Record<string, string>>;
}

export interface SourceGraph {
  /** The folder that stands for /root: the workspace's, the package's, or else the program's own. Absolute. */
  readonly root: string;
  /** The program's file, from the root. */
  readonly entry: string;
  readonly modules: readonly SourceModule[];
  /** Names of imported packages, with a file that imports each. */
  readonly packages: ReadonlyMap<string, string>;
}

/** What esbuild lowers to; types, JSX, enums and decorators go in any case. */
const target = "node22";

const locks = ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "npm-shrinkwrap.json"];

/** Throws an InvalidError with the places of all that is wrong in the sources. */
export async function traceSources(entry: string): Promise<SourceGraph> {
  if (!existsSync(entry)) throw new InvalidError(`${entry} does not exist`);
  const root = rootOf(entry);
  const packages = new Map<string, string>();
  const { inputs } = await bundled(entry, root, packages);
  const paths = Object.keys(inputs);
  const outside = paths.find((path) => path.startsWith(".."));
  if (outside !== undefined) {
    throw new InvalidError(`${resolve(root, outside)} is imported, and lies outside of ${root}`, {
      hint: "put both into one workspace: the folder with the lock file is what ships",
    });
  }
  const codes = await transformed(
    paths.filter((path) => isTransformed(path, inputs)),
    root,
  );
  const modules = paths.map((path) => ({ path, code: codes.get(path), imports: importsOf(inputs[path]) }));
  return { root, entry: relative(root, entry).split(sep).join("/"), modules, packages };
}

/** The nearest folder with a lock file; else the nearest with a package.json; else the file's own. */
function rootOf(entry: string): string {
  const above: string[] = [];
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    above.push(folder);
    if (dirname(folder) === folder) break;
  }
  const has = (names: readonly string[]): string | undefined =>
    above.find((folder) => names.some((name) => existsSync(join(folder, name))));
  return has(locks) ?? has(["package.json"]) ?? dirname(entry);
}

async function bundled(entry: string, root: string, packages: Map<string, string>): Promise<Metafile> {
  const result = await complaining(() =>
    build({
      entryPoints: [entry],
      absWorkingDir: root,
      bundle: true,
      write: false,
      metafile: true,
      outdir: "out",
      format: "esm",
      platform: "node",
      target,
      logLevel: "silent",
      loader: { ".node": "empty" },
      plugins: [ownFiles(packages)],
    }),
  );
  return result.metafile;
}

/** Leaves packages, and what Node itself has, to Node. */
function ownFiles(packages: Map<string, string>): Plugin {
  const asked = Symbol("asked");
  return {
    name: "own-files",
    setup(esbuild) {
      esbuild.onResolve({ filter: /^[^./]/ }, async (args: OnResolveArgs) => {
        const { path, kind, importer, resolveDir } = args;
        if (kind === "entry-point" || args.pluginData === asked) return undefined;
        if (isBuiltin(path) || /^(?:data|https?|node):/.test(path) || path === "lydian" || path.startsWith("lydian/"))
          return { path, external: true };
        const found = await esbuild.resolve(path, { kind, importer, resolveDir, pluginData: asked });
        const isOwn = found.errors.length === 0 && !found.external && !found.path.includes("/node_modules/");
        if (isOwn) return found;
        if (path.startsWith("#") && found.errors.length > 0) return { errors: found.errors };
        packages.set(packageOf(path), importer);
        return { path, external: true };
      });
    },
  };
}

/** "@team/tools/x" -> "@team/tools"; "hono/streaming" -> "hono". */
function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function isTransformed(path: string, inputs: Metafile["inputs"]): boolean {
  return /\.[cm]?[jt]sx?$/.test(path) && extname(path) !== ".cjs" && inputs[path]?.format !== "cjs";
}

function importsOf(input: Metafile["inputs"][string] | undefined): Record<string, string> {
  const own = (input?.imports ?? []).filter(({ external }) => external !== true);
  return Object.fromEntries(own.map(({ original, path }) => [original ?? path, path]));
}

/** By their paths. Each has its source map within, which names the file that it was. */
async function transformed(paths: readonly string[], root: string): Promise<Map<string, string>> {
  if (paths.length === 0) return new Map();
  const { outputFiles } = await complaining(() =>
    build({
      entryPoints: paths.map((path) => ({ in: join(root, path), out: path })),
      absWorkingDir: root,
      outdir: root,
      write: false,
      format: "esm",
      platform: "node",
      target,
      sourcemap: "inline",
      sourcesContent: false,
      logLevel: "silent",
      keepNames: true,
    }),
  );
  return new Map(
    outputFiles.map(({ path, text }) => [relative(root, path).split(sep).join("/").replace(/\.js$/, ""), text]),
  );
}

async function complaining<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { errors = [] } = error as Partial<BuildFailure>;
    if (errors.length === 0) throw error;
    const lines = errors.map(({ text, location }) =>
      location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text,
    );
    throw new InvalidError(lines.join("\n"), { cause: error });
  }
}

/** Files that the sources name beside them: `new URL("./data.json", import.meta.url)`. From the root. */
export function assetsOf({ root, modules }: SourceGraph): string[] {
  const found = modules.flatMap(({ path }) => {
    if (!/\.[cm]?[jt]sx?$/.test(path)) return [];
    const source = readFileSync(join(root, path), "utf8");
    const named = source.matchAll(/\bnew URL\(\s*["'](\.{1,2}\/[^"']+)["']\s*,\s*import\.meta\.url\s*\)/g);
    return [...named].map(([, asset = ""]) =>
      relative(root, resolve(root, dirname(path), asset))
        .split(sep)
        .join("/"),
    );
  });
  return [...new Set(found)];
}

/** Serves transformed code to Node under the paths of the sources, here and in containers alike. */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

export interface HookedModule {
  /** What it runs as; undefined: Node reads the file. */
  readonly code: (() => string) | undefined;
  /** Absolute paths, by what imports say. */
  readonly imports: Readonly<Record<string, string>>;
}

/** `modules` by absolute path; `own` is the URL of this package, which programs import as "lydian". */
export function serveModules(modules: ReadonlyMap<string, HookedModule>, own: string): void {
  const byUrl = new Map([...modules].map(([path, module]) => [pathToFileURL(path).href, module]));
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === "lydian") return next(own, context);
      const path = byUrl.get(context.parentURL ?? "")?.imports[specifier];
      if (path === undefined) return next(specifier, context);
      const url = pathToFileURL(path).href;
      if (byUrl.get(url)?.code === undefined) return next(url, context);
      return { url, format: "module", shortCircuit: true };
    },
    load(url, context, next) {
      const code = byUrl.get(url)?.code;
      if (code === undefined) return next(url, context);
      return { format: "module", source: code(), shortCircuit: true };
    },
  });
}

/** Serves transformed code to Node under the paths of the sources, here and in containers alike. */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

export interface HookedModule {
  /** What it runs as; undefined: Node reads the file. */
  readonly code: (() => string) | undefined;
  /** Absolute paths, by what imports say. */
  readonly imports: Readonly<Record<string, string>>;
}

/** What programs import of this package; the folders and files that these are, without their extensions. */
const ownParts: Readonly<Record<string, OwnPart>> = {
  lydian: "index",
  "lydian/web": "web/index",
  "lydian/node": "web/node",
  "lydian/testing": "testing/index",
};
export type OwnPart = "index" | "web/index" | "web/node" | "testing/index";

/** One for a process, for hooks stay. */
export class ModuleServer {
  #modules: ReadonlyMap<string, HookedModule> = new Map();
  #version = 0;

  /** `own` answers the URL of a part of this package, which programs import as "lydian" or "lydian/web". */
  constructor(own: (part: OwnPart) => string) {
    registerHooks({
      resolve: (specifier, context, next) => {
        const part = ownParts[specifier];
        if (part !== undefined) return next(own(part), context);
        const path = this.#modules.get(plain(context.parentURL))?.imports[specifier];
        if (path === undefined) return next(specifier, context);
        if (this.#modules.get(pathToFileURL(path).href)?.code === undefined) return next(this.urlOf(path), context);
        return { url: this.urlOf(path), format: "module", shortCircuit: true };
      },
      load: (url, context, next) => {
        const code = this.#modules.get(plain(url))?.code;
        if (code === undefined) return next(url, context);
        return { format: "module", source: code(), shortCircuit: true };
      },
    });
  }

  /** From now on these are the modules, by absolute path: imported by `urlOf` they run anew. */
  serve(modules: ReadonlyMap<string, HookedModule>): void {
    this.#modules = new Map([...modules].map(([path, module]) => [pathToFileURL(path).href, module]));
    this.#version++;
  }

  /** What Node knows a module by; of later versions another one, for none is ever forgotten. */
  urlOf(path: string): string {
    const { href } = pathToFileURL(path);
    return this.#version > 1 ? `${href}?version=${this.#version}` : href;
  }
}

const plain = (url = ""): string => url.replace(/\?version=\d+$/, "");

/** What a container's file system begins as: a base, and steps on it. A description: it is made when an app is run or deployed. */
import { fileURLToPath } from "node:url";

import { type Site, siteOfCaller } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import type { Secret } from "./secret.ts";
import type { Volume } from "./volume.ts";

/** Files of this machine that an image is given. */
export interface LocalFiles {
  /** A file or a folder; a URL of a file. */
  readonly local: string | URL;
  /** Absolute in the container. */
  readonly remote: string;
  /** Of a folder: names and globs that are left out. */
  readonly ignore: readonly string[];
}

/** A Dockerfile of this machine, with the folder that its COPY and ADD are of. */
export interface Dockerfile {
  readonly path: string;
  readonly context: string | undefined;
}

/** A line of a Dockerfile, or what stands in its place: files that are copied, npm packages by name, those of the program, a Dockerfile. */
export type Step =
  | { readonly line: string }
  | { readonly copy: LocalFiles }
  | { readonly npm: readonly string[] }
  | { readonly packages: true }
  | { readonly dockerfile: Dockerfile }
  | { readonly call: FunctionStep };

/** A function that is called in the image so far; what it writes is the step. */
export interface FunctionStep {
  readonly fn: (...args: never[]) => unknown;
  readonly args: readonly unknown[];
  /** Where it was named. */
  readonly site: Site;
  readonly secrets: readonly Secret[];
  readonly volumes: Readonly<Record<string, Volume>>;
}

/** What an image consists of. */
export interface ImageParts {
  readonly steps: readonly Step[];
  readonly secrets: readonly Secret[];
  /** Laid into each container as it starts. */
  readonly added: readonly LocalFiles[];
  /** Credentials of the registry that the base is in. */
  readonly registrySecret: Secret | undefined;
  /** The Node of its functions, if it is not to be what the program says. */
  readonly node: string | undefined;
}

/** What steps are given. */
export interface StepOptions {
  /** Environment of this image's steps; never in the image. */
  secrets?: Secret[];
}

const names = /^[A-Za-z0-9@][A-Za-z0-9@/_.+:~^=<>!*-]*$/;

/** What a container's files begin as. Each call answers another image, with one step more; it is made when an app is run or deployed, and steps that are equal are made once. */
export class Image {
  /** @internal */
  readonly parts: ImageParts;

  private constructor(parts: ImageParts) {
    this.parts = parts;
  }

  /**
   * Debian without anything else; with `python`, such as "3.12", with that Python and pip. `node`, such as "24": what functions run
   * on, in place of what the program's own version file says, or else of the Node that the platform brings.
   */
  static debianSlim({ python, node }: { python?: string; node?: string } = {}): Image {
    if (python !== undefined && !/^3\.\d{1,2}$/.test(python))
      throw new InvalidError(`python is ${JSON.stringify(python)}, and has to be such as "3.12"`);
    return Image.#on(python === undefined ? "debian:bookworm-slim" : `python:${python}-slim-bookworm`, { node });
  }

  /**
   * An image of a registry, such as "ghcr.io/team/base:1". It needs the C library glibc, as Debian and Ubuntu have it and
   * Alpine has not. `secret` has REGISTRY_USERNAME and REGISTRY_PASSWORD. `addNode`: as `node` of `debianSlim`; functions have a Node
   * on any image. `addPython`, which Modal has, there is not: take an image that has Python.
   */
  static fromRegistry(reference: string, { secret, addNode: node }: { secret?: Secret; addNode?: string } = {}): Image {
    if (!/^\S+$/.test(reference)) throw new InvalidError(`${JSON.stringify(reference)} is no name of an image`);
    return Image.#on(reference, { registrySecret: secret, node });
  }

  /**
   * What a Dockerfile of this machine says. Its COPY and ADD take files of `context`, the Dockerfile's own folder unless it is
   * given, but for those that `.dockerignore` names.
   */
  static fromDockerfile(path: string | URL, { context }: { context?: string } = {}): Image {
    const dockerfile = { path: path instanceof URL ? fileURLToPath(path) : path, context };
    return new Image({ steps: [{ dockerfile }], secrets: [], added: [], registrySecret: undefined, node: undefined });
  }

  /** Debian's packages. */
  aptInstall(...packages: string[]): Image {
    check(packages);
    return this.dockerfileCommands(
      `RUN apt-get update && apt-get install -y --no-install-recommends ${words(packages)} && rm -rf /var/lib/apt/lists/*`,
    );
  }

  /** Python's packages, on an image that has Python. */
  pipInstall(...packages: string[]): Image {
    check(packages);
    return this.dockerfileCommands(`RUN python -m pip install ${words(packages)}`);
  }

  /** The same by uv, which is faster. */
  uvPipInstall(...packages: string[]): Image {
    check(packages);
    return this.dockerfileCommands(
      `RUN python -m pip install --root-user-action=ignore uv && python -m uv pip install --system ${words(packages)}`,
    );
  }

  /**
   * npm's packages by name, such as "sharp@0.34.4", for functions of this image. What the program's own package.json names needs
   * no word: it is installed as its lock file says.
   */
  npmInstall(...packages: string[]): Image {
    check(packages);
    return this.#step({ npm: packages });
  }

  /** Installs what the program's lock file says at this place, for steps that need it, and not at the end. */
  npmCi(): Image {
    return this.#step({ packages: true });
  }

  /**
   * Calls a function as the image is made, such as to fetch a model: what it writes is in the image. The file that names it has to
   * export it, or to import it from one that does. It is called again when its file changes, or what that imports, or its arguments.
   * `volumes` are committed at its end; `secrets` are its environment, and not in the image.
   */
  runFunction<A extends unknown[]>(
    fn: (...args: A) => unknown,
    { args, secrets = [], volumes = {} }: { args?: A; secrets?: Secret[]; volumes?: Record<string, Volume> } = {},
  ): Image {
    return this.#step({ call: { fn, args: args ?? [], site: siteOfCaller(), secrets, volumes } });
  }

  /** Commands of the shell, each a step. */
  runCommands(...commands: string[]): Image {
    return this.dockerfileCommands(...commands.map((command) => `RUN ${command}`));
  }

  /** Variables of the environment, of later steps and of containers. */
  env(variables: Readonly<Record<string, string>>): Image {
    const pairs = Object.entries(variables).map(([name, value]) => {
      if (!/^[A-Za-z_]\w*$/.test(name)) throw new InvalidError(`${JSON.stringify(name)} is no name of a variable`);
      if (/[\n\r]/.test(value))
        throw new InvalidError(`${name} has a line break in it, which a step cannot set; use a Secret`);
      return `${name}="${value.replaceAll(/["\\$]/g, (special) => `\\${special}`)}"`;
    });
    return this.dockerfileCommands(`ENV ${pairs.join(" ")}`);
  }

  /** Where later steps and functions begin; absolute. */
  workdir(path: string): Image {
    return this.dockerfileCommands(`WORKDIR ${path}`);
  }

  /** The shell of later steps: `["/bin/bash", "-c"]`. */
  shell(words: readonly string[]): Image {
    return this.dockerfileCommands(`SHELL ${JSON.stringify(words)}`);
  }

  /** What containers are started with, in front of the function's own program. */
  entrypoint(words: readonly string[]): Image {
    return this.dockerfileCommands(`ENTRYPOINT ${JSON.stringify(words)}`);
  }

  /** The words that an entrypoint gets when nothing else is said; functions have their own. */
  cmd(words: readonly string[]): Image {
    return this.dockerfileCommands(`CMD ${JSON.stringify(words)}`);
  }

  /** Lines of a Dockerfile. `options.secrets` are the environment of all steps of this image. */
  dockerfileCommands(...commands: (string | StepOptions)[]): Image {
    const lines = commands.filter((command) => typeof command === "string");
    const secrets = commands.flatMap((command) => (typeof command === "string" ? [] : (command.secrets ?? [])));
    this.#checkOrder();
    const steps = [...this.parts.steps, ...lines.map((line) => ({ line }))];
    return new Image({ ...this.parts, steps, secrets: [...this.parts.secrets, ...secrets] });
  }

  /**
   * A file of this machine, at an absolute path in the container. It is laid there as the container starts; with `copy` it is
   * part of the image, so that later steps have it.
   */
  addLocalFile(local: string | URL, remote: string, { copy = false }: { copy?: boolean } = {}): Image {
    return this.#add({ local, remote, ignore: [] }, copy);
  }

  /** A folder with all that is in it, but for what `ignore` names by globs such as "*.log"; else as `addLocalFile`. */
  addLocalDir(
    local: string | URL,
    remote: string,
    { copy = false, ignore = [] }: { copy?: boolean; ignore?: string[] } = {},
  ): Image {
    return this.#add({ local, remote, ignore }, copy);
  }

  #step(step: Step): Image {
    this.#checkOrder();
    return new Image({ ...this.parts, steps: [...this.parts.steps, step] });
  }

  #checkOrder(): void {
    if (this.parts.added.length === 0) return;
    throw new InvalidError("a step comes after files that are added as the container starts", {
      hint: "add them last, or with `{ copy: true }`, which makes them part of the image",
    });
  }

  static #on(reference: string, { registrySecret, node }: Partial<Pick<ImageParts, "registrySecret" | "node">>): Image {
    return new Image({ steps: [{ line: `FROM ${reference}` }], secrets: [], added: [], registrySecret, node });
  }

  #add(files: LocalFiles, copy: boolean): Image {
    if (!/^\/[^\s"]*$/.test(files.remote) || files.remote.split("/").includes("..")) {
      throw new InvalidError(
        `${JSON.stringify(files.remote)} has to be an absolute path in the container, without spaces`,
      );
    }
    if (!copy) return new Image({ ...this.parts, added: [...this.parts.added, files] });
    return new Image({ ...this.parts, steps: [...this.parts.steps, { copy: files }] });
  }
}

const words = (packages: readonly string[]): string => packages.map((name) => `'${name}'`).join(" ");

/** They become words of a command. */
function check(packages: readonly string[]): void {
  const wrong = packages.find((name) => !names.test(name));
  if (wrong !== undefined) throw new InvalidError(`${JSON.stringify(wrong)} is no name of a package`);
}

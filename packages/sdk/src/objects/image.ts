/** What a container's file system begins as: a base, and steps on it. A description: it is made when an app is run or deployed. */
import { InvalidError } from "../errors.ts";
import type { Secret } from "./secret.ts";

/** Files of this machine that an image is given. */
export interface LocalFiles {
  /** A file or a folder; a URL of a file. */
  readonly local: string | URL;
  /** Absolute in the container. */
  readonly remote: string;
  /** Of a folder: names and globs that are left out. */
  readonly ignore: readonly string[];
}

/** A line of a Dockerfile, or files that are copied in its place. */
export type Step = { readonly line: string } | { readonly copy: LocalFiles };

export interface ImageParts {
  readonly steps: readonly Step[];
  readonly secrets: readonly Secret[];
  /** Laid into each container as it starts. */
  readonly added: readonly LocalFiles[];
  /** Credentials of the registry that the base is in. */
  readonly registrySecret: Secret | undefined;
}

export interface StepOptions {
  /** Environment of this image's steps; never in the image. */
  secrets?: Secret[];
}

const names = /^[A-Za-z0-9@][A-Za-z0-9@/_.+:~^=<>!*-]*$/;

export class Image {
  /** @internal */
  readonly parts: ImageParts;

  private constructor(parts: ImageParts) {
    this.parts = parts;
  }

  /** Debian without anything else; with `python`, such as "3.12", with that Python and pip. */
  static debianSlim({ python }: { python?: string } = {}): Image {
    if (python !== undefined && !/^3\.\d{1,2}$/.test(python))
      throw new InvalidError(`python is ${JSON.stringify(python)}, and has to be such as "3.12"`);
    return Image.#on(python === undefined ? "debian:bookworm-slim" : `python:${python}-slim-bookworm`);
  }

  /**
   * An image of a registry, such as "ghcr.io/team/base:1". It needs the C library glibc, as Debian and Ubuntu have it and
   * Alpine has not. `secret` has REGISTRY_USERNAME and REGISTRY_PASSWORD.
   */
  static fromRegistry(reference: string, { secret }: { secret?: Secret } = {}): Image {
    if (!/^\S+$/.test(reference)) throw new InvalidError(`${JSON.stringify(reference)} is no name of an image`);
    return Image.#on(reference, secret);
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

  /** Lines of a Dockerfile. `options.secrets` are the environment of all steps of this image. */
  dockerfileCommands(...commands: (string | StepOptions)[]): Image {
    const lines = commands.filter((command) => typeof command === "string");
    const secrets = commands.flatMap((command) => (typeof command === "string" ? [] : (command.secrets ?? [])));
    if (this.parts.added.length > 0) {
      throw new InvalidError("a step comes after files that are added as the container starts", {
        hint: "add them last, or with `{ copy: true }`, which makes them part of the image",
      });
    }
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

  static #on(reference: string, registrySecret?: Secret): Image {
    return new Image({ steps: [{ line: `FROM ${reference}` }], secrets: [], added: [], registrySecret });
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

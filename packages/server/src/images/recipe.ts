/** What a client asks for, as a recipe, and the key that makes two requests the same image: pure functions. */
import { createHash } from "node:crypto";

import { Arch, type Image as Asked, RegistryAuthType } from "@lydian/contract";

import type { BuildFunction, Recipe, RegistryLogin } from "../domain/image.ts";
import type { MountedVolume } from "../domain/volume.ts";
import type { Gpus } from "../domain/worker.ts";
import { fail } from "../errors.ts";

/** The Dockerfiles' dialect that clients are told to use; they know others, too. */
export const builderVersion = "2025.06";

/** What a recipe takes from elsewhere. */
export interface Given {
  contextManifestSha256: string;
  contextName: string;
  contextFiles: Recipe["contextFiles"];
  secretsIdentity: string;
  /** Whose call is its step, instead of lines. */
  called: BuildFunction | undefined;
  /** Of the function, if it is one. */
  secretIds: readonly string[];
  /** As above. */
  volumes: readonly MountedVolume[];
}

const logins: Readonly<Partial<Record<RegistryAuthType, RegistryLogin["kind"]>>> = {
  [RegistryAuthType.STATIC_CREDS]: "static",
  [RegistryAuthType.AWS]: "aws",
  [RegistryAuthType.GCP]: "gcp",
};

/** Throws for what cannot be made, with a sentence that names it. */
export function recipeOf(asked: Asked, { volumes, ...given }: Given): Recipe {
  refuse(asked);
  if (given.called === undefined) refuseLines(asked);
  else if (asked.baseImages.length !== 1) {
    throw fail("invalidArgument", "A function is called on one image, and the request names none or several.");
  }
  return {
    lines: asked.dockerfileCommands,
    bases: Object.fromEntries(asked.baseImages.map(({ dockerTag, imageId }) => [dockerTag, imageId])),
    ...given,
    buildArgs: asked.buildArgs,
    registry: registryOf(asked),
    ...(volumes.length > 0 && { volumes }),
  };
}

/**
 * The same for equal requests of whatever app. Bases count by their ids, so what stands on one that was made anew is made
 * anew, too; secrets count by what stands for their values.
 */
export function keyOf(recipe: Recipe, builder: string, registryIdentity: string): string {
  const { lines, contextManifestSha256, contextName, contextFiles, secretsIdentity, called, volumes = [] } = recipe;
  const content = [
    builder,
    lines,
    sorted(recipe.bases),
    [contextManifestSha256, contextName],
    sorted(Object.fromEntries(contextFiles.map(({ path, sha256 }) => [path, sha256]))),
    sorted(recipe.buildArgs),
    secretsIdentity,
    [recipe.registry?.kind ?? "", registryIdentity],
    ...(called === undefined ? [] : [called.identity]),
    ...(called !== undefined || volumes.length === 0 ? [] : [volumes.map(volumeKey)]),
  ];
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}

const volumeKey = ({ volumeId, path, readOnly, subPath }: MountedVolume): unknown => [
  volumeId,
  path,
  readOnly,
  subPath,
];

const sorted = (map: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1));

function registryOf({ imageRegistryConfig: config }: Asked): RegistryLogin | undefined {
  const kind = config && logins[config.registryAuthType];
  if (config === undefined || kind === undefined) return undefined;
  if (config.secretId === "") {
    throw fail("invalidArgument", "The image's registry asks for credentials, and no secret is named that has them.");
  }
  return { kind, secretId: config.secretId };
}

function refuseLines({ dockerfileCommands: lines }: Asked): void {
  if (lines.length === 0) throw fail("invalidArgument", "The image has no steps: a FROM is the least.");
  if (!lines.some((line) => /^\s*FROM\s+\S/i.test(line))) {
    throw fail("invalidArgument", `The image's Dockerfile has no FROM; it begins with "${shortened(lines[0] ?? "")}".`);
  }
}

/** No step has one. */
export function refuseGpus([asked]: readonly Gpus[]): void {
  if (asked === undefined) return;
  throw fail("unimplemented", `The image asks for a GPU (${asked.kind}) during its steps.`, {
    hint: "Steps run without accelerators here; leave `gpu` away where a step only installs",
  });
}

function refuse({ gpuConfig, arch }: Asked): void {
  const { gpuType: kind = "", count = 0 } = gpuConfig ?? {};
  refuseGpus(count > 0 ? [{ kind, count }] : []);
  const other = { [Arch.X86_64]: "x64", [Arch.AARCH64]: "arm64" }[arch as number];
  if (other !== undefined && other !== process.arch) {
    throw fail("invalidArgument", `The image is to be one for ${other}, and this platform runs on ${process.arch}.`);
  }
}

export function shortened(line: string): string {
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}

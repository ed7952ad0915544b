/** What a registry says of an image, checked: the index, the manifest of one platform, its layers. */
import { PlatformError } from "@lydian/kit";
import { z } from "zod";

export const indexTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
export const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "only digests by sha256 are known");

export const descriptorSchema = z.object({
  mediaType: z.string(),
  digest,
  size: z.number().int().nonnegative(),
});

const indexSchema = z.object({
  manifests: z.array(
    descriptorSchema.extend({
      platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).optional(),
    }),
  ),
});

const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema) });

export type Descriptor = z.output<typeof descriptorSchema>;

/** The names of this host's architecture, as images have them. */
export function imageArchitecture(arch: string = process.arch): string {
  return arch === "x64" ? "amd64" : arch;
}

/** The manifest for Linux on this architecture. */
export function chooseManifest(index: unknown, architecture: string, image: string): Descriptor {
  const { manifests } = parse(indexSchema, index, image);
  const fitting = manifests.find(({ platform, mediaType }) => {
    return platform?.os === "linux" && platform.architecture === architecture && manifestTypes.includes(mediaType);
  });
  if (fitting !== undefined) return fitting;
  const offered = manifests.flatMap(({ platform }) =>
    platform === undefined ? [] : [`${platform.os}/${platform.architecture}`],
  );
  throw new PlatformError(`${image} is not offered for linux/${architecture}`, {
    hint: `it is offered for ${[...new Set(offered)].join(", ") || "no platform"}`,
  });
}

export interface ImageManifest {
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
}

export function parseManifest(manifest: unknown, image: string): ImageManifest {
  const parsed = parse(manifestSchema, manifest, image);
  const strange = parsed.layers.find(({ mediaType }) => !layerType.test(mediaType));
  if (strange === undefined) return parsed;
  throw new PlatformError(`${image} has a layer of a type that is not known: ${strange.mediaType}`);
}

/** Archives that the registry itself has; how they are packed is seen when they come. */
const layerType = /^application\/vnd\.(oci\.image\.layer\.v1|docker\.image\.rootfs\.diff)\.tar([.+](gzip|zstd))?$/;

function parse<T>(schema: z.ZodType<T>, value: unknown, image: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new PlatformError(`what the registry says of ${image} cannot be understood: ${z.prettifyError(result.error)}`);
}

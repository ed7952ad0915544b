/**
 * Images in a file, as `docker save`, `podman save` or `skopeo copy` write them: an archive of Docker's or of OCI's kind.
 * What is in it is verified by the digests that it names itself by.
 */
import { createHash } from "node:crypto";

import { PlatformError } from "@lydian/kit";
import { z } from "zod";

import { type ConfigBlob, parseConfigBlob } from "../image-config.ts";
import { verified } from "../registry/content.ts";
import {
  chooseManifest,
  type Descriptor,
  descriptorSchema,
  imageArchitecture,
  indexTypes,
  parseManifest,
} from "../registry/manifests.ts";
import type { LayerBlob } from "../registry/pull.ts";
import { TarFile } from "./tar-file.ts";

export interface ArchivedImage {
  /** As the archive has them: whole, or a tag alone. */
  readonly names: readonly string[];
  /** Of the platform's manifest, or of the configuration where there is no manifest. */
  readonly digest: string;
  readonly config: ConfigBlob;
  /** Lowest first. */
  readonly layers: readonly LayerBlob[];
  open(layer: LayerBlob, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export async function readArchive(path: string, signal: AbortSignal): Promise<readonly ArchivedImage[]> {
  const file = await TarFile.open(path, signal);
  if (file.has("manifest.json")) return await dockerImages(file, signal);
  if (file.has("index.json")) return await ociImages(file, signal);
  throw new PlatformError(`${path} is no image: it has neither manifest.json nor index.json`, {
    hint: "make it with docker save, podman save or skopeo copy … docker-archive:FILE.tar or oci-archive:FILE.tar",
  });
}

const dockerSchema = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()) }),
);

async function dockerImages(file: TarFile, signal: AbortSignal): Promise<ArchivedImage[]> {
  const images = parse(dockerSchema, await file.bytes("manifest.json", signal), `manifest.json of ${file.path}`);
  return await Promise.all(
    images.map(async ({ Config, RepoTags, Layers }): Promise<ArchivedImage> => {
      const bytes = await file.bytes(Config, signal);
      const digest = digestOf(bytes);
      const [named] = /[0-9a-f]{64}/.exec(Config) ?? [];
      if (named !== undefined && digest !== `sha256:${named}`) throw wrong(file, Config, digest);
      const config = parseConfigBlob(jsonIn(bytes, Config), file.path);
      if (config.diffIds.length !== Layers.length) {
        throw new PlatformError(
          `${file.path} is not whole: ${Layers.length} layers, and ${config.diffIds.length} digests`,
        );
      }
      // A layer is known by what it is unpacked, which is verified as it is unpacked.
      const places = new Map<string, string>();
      const layers = config.diffIds.map((diffId, index): LayerBlob => {
        const name = Layers[index] ?? "";
        places.set(diffId, name);
        return { mediaType: "tar", digest: diffId, size: file.size(name), diffId };
      });
      const open = (layer: LayerBlob, ending: AbortSignal): AsyncIterable<Uint8Array> =>
        file.read(places.get(layer.digest) ?? "", ending);
      return { names: RepoTags ?? [], digest, config, layers, open };
    }),
  );
}

const ociSchema = z.object({
  manifests: z.array(descriptorSchema.extend({ annotations: z.record(z.string(), z.string()).optional() })),
});

/** In the order of how much they say. */
const nameAnnotations = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

async function ociImages(file: TarFile, signal: AbortSignal): Promise<ArchivedImage[]> {
  const { manifests } = parse(ociSchema, await file.bytes("index.json", signal), `index.json of ${file.path}`);
  return await Promise.all(
    manifests.map(async ({ annotations = {}, ...descriptor }): Promise<ArchivedImage> => {
      let manifest: Descriptor = descriptor;
      let content = await blobJson(file, manifest, signal);
      if (indexTypes.includes(manifest.mediaType)) {
        manifest = chooseManifest(content, imageArchitecture(), file.path);
        content = await blobJson(file, manifest, signal);
      }
      const { config, layers } = parseManifest(content, file.path);
      const blob = parseConfigBlob(await blobJson(file, config, signal), file.path);
      const name = nameAnnotations.map((key) => annotations[key]).find((value) => value !== undefined);
      return {
        names: name === undefined ? [] : [name],
        digest: manifest.digest,
        config: blob,
        layers: layers.map((layer, index) => ({ ...layer, diffId: blob.diffIds[index] })),
        open: (layer, ending) =>
          verified(layer, file.read(blobPath(layer), ending), `${blobPath(layer)} of ${file.path}`),
      };
    }),
  );
}

const blobPath = ({ digest }: Descriptor): string => `blobs/${digest.replace(":", "/")}`;

async function blobJson(file: TarFile, descriptor: Descriptor, signal: AbortSignal): Promise<unknown> {
  const bytes = await file.bytes(blobPath(descriptor), signal);
  const digest = digestOf(bytes);
  if (digest !== descriptor.digest) throw wrong(file, blobPath(descriptor), digest);
  return jsonIn(bytes, blobPath(descriptor));
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

function wrong(file: TarFile, name: string, digest: string): PlatformError {
  return new PlatformError(`${file.path} is damaged: ${name} is ${digest}`);
}

function jsonIn(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new PlatformError(`${what} is no JSON`, { cause: error });
  }
}

function parse<T>(schema: z.ZodType<T>, bytes: Buffer, what: string): T {
  const result = schema.safeParse(jsonIn(bytes, what));
  if (result.success) return result.data;
  throw new PlatformError(`${what} cannot be understood: ${z.prettifyError(result.error)}`);
}

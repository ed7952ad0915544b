/** Pulls an image from a registry: its layers become layers of the store, each once, whichever images have it. */
import type { Clock } from "@lydian/kit";

import type { Layer } from "../../layers/index.ts";
import { forEachParallel } from "../../parallel.ts";
import type { LayerBuilds, Waiting } from "../layer-builds.ts";
import { recipes } from "../layer-id.ts";
import { Steps } from "../steps.ts";
import { applyLayer } from "./apply-layer.ts";
import { chooseManifest, imageArchitecture, indexTypes, type LayerBlob, layersOf } from "./manifests.ts";
import { RegistryClient } from "./registry-client.ts";

/** Registries throttle those who open many connections. */
const width = 3;

export interface PullRequest {
  /** Of the registry, such as "https://registry.example". */
  readonly url: string;
  readonly repository: string;
  readonly tag: string;
  readonly clock: Clock;
}

export interface PulledImage {
  /** Of the platform's manifest. */
  readonly digest: string;
  /** Topmost first. */
  readonly layers: readonly Layer[];
}

export async function pullImage(request: PullRequest, builds: LayerBuilds, waiting: Waiting): Promise<PulledImage> {
  const { repository, tag, clock } = request;
  const image = `${repository}:${tag}`;
  const client = new RegistryClient(request);
  const steps = new Steps(clock, waiting.say);
  const { digest, blobs } = await steps.run(`Looking up ${image}`, `Looked up ${image}`, () =>
    readManifest(client, tag, image, waiting.signal),
  );
  const size = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const what = `${image} (${blobs.length} layers, ${(size / 1e6).toFixed(1)} MB)`;
  const layers = await steps.run(`Pulling ${what}`, `Pulled ${what}`, () => pullLayers(client, blobs, builds, waiting));
  return { digest, layers: layers.toReversed() };
}

async function readManifest(client: RegistryClient, tag: string, image: string, signal: AbortSignal) {
  let manifest = await client.manifest(tag, signal);
  if (indexTypes.includes(manifest.mediaType)) {
    manifest = await client.manifest(chooseManifest(manifest.content, imageArchitecture(), image), signal);
  }
  return { digest: manifest.digest, blobs: layersOf(manifest.content, image) };
}

/** Lowest first, as in the manifest. */
async function pullLayers(
  client: RegistryClient,
  blobs: readonly LayerBlob[],
  builds: LayerBuilds,
  waiting: Waiting,
): Promise<Layer[]> {
  const pulled = new Map<string, Layer>();
  await forEachParallel(blobs, width, async (blob) => {
    const id = `oci-${recipes}-${blob.digest.slice("sha256:".length)}`;
    const layer = await builds.make(id, waiting, ({ diff, signal }) =>
      applyLayer(client.blob(blob, signal), blob.compression, diff, signal),
    );
    pulled.set(blob.digest, layer);
  });
  return blobs.map(({ digest }) => {
    const layer = pulled.get(digest);
    if (layer === undefined) throw new Error(`layer ${digest} was not pulled`);
    return layer;
  });
}

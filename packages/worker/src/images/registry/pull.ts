/** Pulls an image from a registry: its layers become layers of the store, each once, whichever images have it. */
import type { Clock } from "@lydian/kit";

import type { Layer } from "../../layers/index.ts";
import { forEachParallel } from "../../parallel.ts";
import { parseConfigBlob } from "../image-config.ts";
import type { LayerBuilds, Customer } from "../layer-builds.ts";
import type { MadeImage } from "../made-image.ts";
import { nameOf, type Reference } from "../reference.ts";
import { Steps } from "../steps.ts";
import { applyLayer, unpacking } from "./apply-layer.ts";
import { chooseManifest, type Descriptor, imageArchitecture, indexTypes, parseManifest } from "./manifests.ts";
import { Progress } from "./progress.ts";
import { RegistryClient } from "./registry-client.ts";
import type { RegistryCredentials } from "./registry-login.ts";

/** Registries throttle those who open many connections. */
const width = 3;

export interface PullRequest {
  /** Of the registry or a mirror, such as "https://registry.example". */
  readonly place: string;
  readonly reference: Reference;
  readonly credentials: RegistryCredentials | undefined;
  readonly clock: Clock;
}

/** A layer as an image names it. */
export interface LayerBlob extends Descriptor {
  /** Of the unpacked archive; undefined where the image does not say. */
  readonly diffId: string | undefined;
}

export async function pullImage(request: PullRequest, builds: LayerBuilds, customer: Customer): Promise<MadeImage> {
  const { reference, clock } = request;
  const image = nameOf(reference);
  const client = new RegistryClient({ ...request, repository: reference.repository });
  const steps = new Steps(clock, customer.say);
  const { digest, blobs, config } = await steps.run(`Looking up ${image}`, `Looked up ${image}`, () =>
    readImage(client, reference, customer.signal),
  );
  const size = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const what = `${image} (${blobs.length} layers, ${(size / 1e6).toFixed(1)} MB)`;
  const layers = await steps.run(`Pulling ${what}`, `Pulled ${what}`, async () => {
    using progress = new Progress(image, blobs, clock, customer.say);
    return await pullLayers(blobs, builds, customer, (blob, signal) => progress.count(client.blob(blob, signal)));
  });
  return { digest, layers: layers.toReversed(), config, madeFrom: undefined, isPrivate: client.isLoggedIn };
}

/** Throws what the registry says when it does not show the image to who asks like that. */
export async function lookUp(request: PullRequest, signal: AbortSignal): Promise<void> {
  const client = new RegistryClient({ ...request, repository: request.reference.repository });
  await client.manifest(nameIn(request.reference), signal);
}

/** What the registry knows it by in its repository. */
const nameIn = ({ digest, tag }: Reference): string => digest ?? tag ?? "latest";

async function readImage(client: RegistryClient, reference: Reference, signal: AbortSignal) {
  const image = nameOf(reference);
  let manifest = await client.manifest(nameIn(reference), signal);
  if (indexTypes.includes(manifest.mediaType)) {
    manifest = await client.manifest(chooseManifest(manifest.content, imageArchitecture(), image).digest, signal);
  }
  const { config, layers } = parseManifest(manifest.content, image);
  const { diffIds, ...blob } = parseConfigBlob(await client.json(config, signal), image);
  const blobs = layers.map((layer, index): LayerBlob => ({ ...layer, diffId: diffIds[index] }));
  return { digest: manifest.digest, blobs, config: blob.config };
}

/** Lowest first, as in the manifest. */
export async function pullLayers(
  blobs: readonly LayerBlob[],
  builds: LayerBuilds,
  customer: Customer,
  open: (blob: LayerBlob, signal: AbortSignal) => AsyncIterable<Uint8Array>,
): Promise<Layer[]> {
  const pulled = new Map<string, Layer>();
  await forEachParallel(blobs, width, async (blob) => {
    const id = `oci-${unpacking}-${blob.digest.slice("sha256:".length)}`;
    const layer = await builds.make(id, customer, ({ diff, signal }) =>
      applyLayer(open(blob, signal), { diff, diffId: blob.diffId, signal }),
    );
    pulled.set(blob.digest, layer);
  });
  return blobs.map(({ digest }) => {
    const layer = pulled.get(digest);
    if (layer === undefined) throw new Error(`layer ${digest} was not pulled`);
    return layer;
  });
}

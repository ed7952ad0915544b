/** From a container's specification to a process that can be started: lays out its files, then asks its runner. */
import type * as wire from "@lydian/contract/worker";
import { PlatformError } from "@lydian/kit";

import type { ContentCache } from "../content.ts";
import type { ClientPackages } from "../runners/client-packages.ts";
import { prepareNode } from "../runners/node.ts";
import type { PackagedNode } from "../runners/packaged-node.ts";
import { preparePython } from "../runners/python.ts";
import { ImageGoneError } from "../image-gone.ts";
import type { KnownImages } from "../builds/images.ts";
import type {
  DoorHandler,
  Layout,
  LayRequest,
  ProcessSpec,
  Resources,
  RootImage,
  Runtime,
} from "../runtime/runtime.ts";
import type { Buckets } from "../buckets/buckets.ts";
import type { Starters, WaitingStarter } from "../starters/starters.ts";
import type { ContainerPlace } from "./folder.ts";
import type { MountLayers } from "./mount-layers.ts";
import type { Volumes } from "../volumes/volumes.ts";
import type { ContainerRoot } from "../volumes/volume-mount.ts";
import { layMounts } from "./mounts.ts";

/** What preparing takes from the worker. */
export interface Workshop {
  runtime: Runtime;
  content: ContentCache;
  clients: ClientPackages;
  node: PackagedNode;
  images: KnownImages;
  /** Absent: all files of mounts are copied. */
  mountLayers?: MountLayers | undefined;
  /** Absent: each container is started from nothing. */
  starters?: Starters | undefined;
  /** Absent: the runtime can mount none. */
  volumes?: Volumes | undefined;
  /** Absent: nor buckets. */
  buckets?: Buckets | undefined;
  /** What the containers of this worker have in all, and so the most that one of them can have. */
  capacity: Pick<wire.Capacity, "milliCpu" | "memoryMib">;
}

/** Whom it is done for. */
interface Customer {
  /** Writes a line into the container's log. */
  say: (line: string) => void;
  signal: AbortSignal;
  door: DoorHandler;
  /** What the container begins as. */
  starter: WaitingStarter | undefined;
}

/** Leaves nothing running when it rejects, but for the starter; with an ImageGoneError when the image has to be made again. */
export async function prepareProcess(
  place: ContainerPlace,
  spec: wire.ContainerSpec,
  workshop: Workshop,
  asked: Customer,
): Promise<ProcessSpec> {
  const { imageId } = spec;
  const { images } = workshop;
  using _pin = images.pin(imageId);
  try {
    return await prepareWith(await imageOf(spec, workshop), { place, spec, workshop, asked });
  } catch (error) {
    if (error instanceof ImageGoneError) await images.forget(imageId); // the server is told, and has it made again
    throw error;
  }
}

async function prepareWith(
  image: RootImage,
  {
    place,
    spec,
    workshop,
    asked,
  }: { place: ContainerPlace; spec: wire.ContainerSpec; workshop: Workshop; asked: Customer },
): Promise<ProcessSpec> {
  const network = networkOf(spec.network);
  if (network !== undefined && !workshop.runtime.ownNetwork) {
    throw new PlatformError(`the runtime "${workshop.runtime.name}" cannot keep a function off the network`, {
      hint: "run the platform with --runtime runc, or leave out block_network",
    });
  }
  const resources = resourcesOf(spec.resources, workshop.capacity);
  await using volumes = volumesOf(place, spec, workshop);
  const mount = bothOf(volumes?.mount, bucketsOf(place, spec, workshop));
  const { starter, signal } = asked;
  await using shown = await workshop.mountLayers?.show(spec.mounts, image, signal);
  const { layers = [], others = spec.mounts } = shown ?? {};
  if (starter !== undefined && layers.length > 0)
    throw new PlatformError("its mounts have more files than one can be given");
  const stacked = { ...image, layers: [...layers, ...image.layers] };
  const layout =
    starter === undefined
      ? await workshop.runtime.lay(place, { ...asked, image: stacked, network, resources, mount })
      : await starter.become(place, { ...asked, resources });
  const other = new AbortController(); // when one half fails, the other need not go on
  const customer = { ...asked, signal: AbortSignal.any([signal, other.signal]) };
  const missing = others.filter(({ manifestSha256 }) => manifestSha256 !== starter?.shown);
  const files = layMounts(missing, { content: workshop.content, places: layout, signal: customer.signal });
  const runner = prepareRunner(place, spec, layout, workshop, customer);
  const mounted = starter === undefined ? undefined : mount?.(rootOf(place, workshop));
  try {
    const [, process] = await Promise.all([files, runner, mounted]);
    await layout.showFiles?.();
    const { terminal } = spec;
    return terminal === undefined ? process : { ...process, terminal };
  } catch (error) {
    other.abort(error);
    await Promise.allSettled([files, runner, mounted]);
    throw error;
  }
}

/** Of one that runs already. */
function rootOf(place: ContainerPlace, { runtime }: Workshop): ContainerRoot {
  const root = runtime.rootOf?.(place);
  if (root === undefined) throw new Error(`the runtime "${runtime.name}" has no root of ${place.hostId}`);
  return root;
}

const nothing = (): void => {};

interface PreparedVolumes extends AsyncDisposable {
  readonly mount: NonNullable<LayRequest["mount"]>;
}

/** The container's volumes, which are brought while its root is made; undefined when it has none. */
function volumesOf(
  place: ContainerPlace,
  { volumes: mounts }: wire.ContainerSpec,
  { volumes, runtime }: Workshop,
): PreparedVolumes | undefined {
  if (mounts.length === 0) return undefined;
  if (volumes !== undefined) {
    const prepared = volumes.prepare(place, mounts);
    const settled = prepared.then(nothing, nothing); // what fails is told to who mounts them
    return { mount: async (root) => (await prepared)(root), [Symbol.asyncDispose]: () => settled };
  }
  throw new PlatformError(`the runtime "${runtime.name}" cannot mount volumes`, {
    hint: "run the platform with --runtime runc; from outside, such as by `modal volume`, volumes work all the same",
  });
}

/** What mounts its buckets; undefined when it has none. */
function bucketsOf(
  place: ContainerPlace,
  { buckets: mounts }: wire.ContainerSpec,
  { buckets, runtime }: Workshop,
): LayRequest["mount"] {
  if (mounts.length === 0) return undefined;
  if (buckets !== undefined) return buckets.prepare(place, mounts);
  throw new PlatformError(`the runtime "${runtime.name}" cannot mount buckets`, {
    hint: "run the platform with --runtime runc",
  });
}

function bothOf(one: LayRequest["mount"], other: LayRequest["mount"]): LayRequest["mount"] {
  if (one === undefined || other === undefined) return one ?? other;
  return async (root) => {
    await one(root);
    await other(root);
  };
}

async function imageOf({ imageId }: wire.ContainerSpec, { images }: Workshop): Promise<RootImage> {
  const image = await images.find(imageId);
  if (image === undefined) throw new ImageGoneError(`image ${imageId} is not on this worker`);
  return image;
}

/** What is 0 on the wire was not asked for: memory then ends where the worker's own does. */
export function resourcesOf(resources: wire.Resources | undefined, capacity: Workshop["capacity"]): Resources {
  const milliCpu = Number(resources?.milliCpu ?? 0);
  const milliCpuLimit = Number(resources?.milliCpuLimit ?? 0);
  const memoryMib = Number(resources?.memoryLimitMib || capacity.memoryMib);
  const diskMib = Number(resources?.diskMib ?? 0);
  return {
    ...(milliCpu > 0 && { milliCpu }),
    ...(milliCpuLimit > 0 && milliCpuLimit < Number(capacity.milliCpu) && { milliCpuLimit }),
    ...(memoryMib > 0 && { memoryMib }),
    ...(diskMib > 0 && { diskMib }),
  };
}

/** Undefined for one that reaches all that is outside. */
export function networkOf(network: wire.Network | undefined): LayRequest["network"] {
  return network?.restricted === true ? { allowedCidrs: network.allowedCidrs } : undefined;
}

async function prepareRunner(
  place: ContainerPlace,
  spec: wire.ContainerSpec,
  layout: Layout,
  { clients, node }: Workshop,
  customer: Customer,
): Promise<ProcessSpec> {
  const { imageId, env } = spec;
  const runner = spec.runner?.kind;
  switch (runner?.case) {
    case "python":
      return preparePython({ runner: runner.value, containerId: place.id, imageId, env, layout, clients, ...customer });
    case "node":
      return prepareNode({ runner: runner.value, containerId: place.id, imageId, env, layout, node });
    case undefined:
      throw new PlatformError("the server asks for a runner that this worker does not know", {
        hint: "update the worker to the server's version",
      });
  }
}

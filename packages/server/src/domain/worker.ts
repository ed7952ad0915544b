/** A worker: a host that runs containers. */

export interface Capacity {
  milliCpu: number;
  memoryMib: number;
}

/** Accelerators of one kind, such as "H100" or "A100-80GB". */
export interface Gpus {
  kind: string;
  count: number;
}

export interface Runtime {
  name: string;
  isolates: boolean;
  ownNetwork: boolean;
  limits: boolean;
}

/** A worker as the scheduler sees it: only those with a live session are placed on. */
export interface WorkerView {
  id: string;
  capacity: Capacity;
  gpus: readonly Gpus[];
  /** Given by its operator: `region`, `cloud` and others. */
  labels: Readonly<Record<string, string>>;
  /** Those that it has. */
  images: ReadonlySet<string>;
  /** Its containers can see buckets of stores. */
  mountsBuckets: boolean;
}

/** What a container needs of its worker. */
export interface Needs extends Capacity {
  /** Its root file system; absent where any will do. */
  image?: NeededImage;
  /** Any one of these; empty when it needs none. */
  gpus: readonly Gpus[];
  /** Any one of these; empty for everywhere. */
  regions: readonly string[];
  /** Empty for any. */
  cloud: string;
}

export interface NeededImage {
  id: string;
  isBuilt: boolean;
}

/** Whether a container could begin there with what it has. */
export function hasImage({ image }: Pick<Needs, "image">, { images }: Pick<WorkerView, "images">): boolean {
  return image === undefined || (image.isBuilt && images.has(image.id));
}

/** What a worker has left for more containers. */
export interface Room extends WorkerView {
  /** Containers that may be started now: more at a time would only slow each other's start. */
  starts: number;
  /** What first containers of functions may take beyond that. */
  slack: Capacity;
}

/** A kind as asked for ("A100", "any") covers the kinds that workers have ("A100-80GB"). */
export function coversGpu(asked: string, has: string): boolean {
  const kind = asked.toUpperCase().replace(/!$/, ""); // "H100!" forbids an upgrade, which is never made here
  return kind === "ANY" || has === kind || has.startsWith(`${kind}-`);
}

/** Labels that no worker has are of no account: a program written for a cloud runs on machines that name no region. */
export function matchesPlace(
  { regions, cloud }: Pick<Needs, "regions" | "cloud">,
  { region = "", cloud: ownCloud = "" }: WorkerView["labels"],
): boolean {
  const inRegion = regions.length === 0 || region === "" || regions.some((asked) => isWithin(region, asked));
  return inRegion && (cloud === "" || ownCloud === "" || cloud.toLowerCase() === ownCloud.toLowerCase());
}

/** "us" covers "us-east-1". */
function isWithin(region: string, asked: string): boolean {
  return region === asked || region.startsWith(`${asked}-`);
}

/** The most that any one of the workers has; they need not be of the same one. */
export function largest(workers: readonly WorkerView[]): Capacity {
  return {
    milliCpu: Math.max(...workers.map(({ capacity }) => capacity.milliCpu)),
    memoryMib: Math.max(...workers.map(({ capacity }) => capacity.memoryMib)),
  };
}

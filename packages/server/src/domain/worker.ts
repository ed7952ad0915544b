/** A worker: a host that runs containers. */

export interface Capacity {
  milliCpu: number;
  memoryMib: number;
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
}

/** What a worker has left for more containers. */
export interface Room extends WorkerView {
  /** Containers that may be started now: more at a time would only slow each other's start. */
  starts: number;
}

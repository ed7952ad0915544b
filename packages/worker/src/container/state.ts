/** The life of a container on this worker: its states, the legal moves, and the one function that moves. */
import { PlatformError } from "@lydian/kit";

/**
 *     preparing   its files are laid out, its packages installed
 *     running     its main process runs
 *     stopping    its main process was asked to end and has not yet
 *     gone        no process of it is left; its record and its log stay until the server releases it
 */
export type ContainerPhase = "preparing" | "running" | "stopping" | "gone";

const moves: Readonly<Record<ContainerPhase, readonly ContainerPhase[]>> = {
  preparing: ["running", "gone"],
  running: ["stopping", "gone"],
  stopping: ["gone"],
  gone: [],
};

/** The new phase, or an error that names the illegal move. */
export function move(containerId: string, from: ContainerPhase, to: ContainerPhase): ContainerPhase {
  if (!moves[from].includes(to)) throw new PlatformError(`container ${containerId} cannot go from ${from} to ${to}`);
  return to;
}

/** An app: the unit that a client runs or deploys; owns functions, containers and a log. */
import type { Id } from "@lydian/kit";

/**
 * `ephemeral` lives as long as its client's heartbeat; `detached` outlives its client, after which it is `disconnected`
 * and ends once its work is done; `deployed` lives until it is stopped; `stopping` waits for its last container.
 */
export type AppState = "initializing" | "ephemeral" | "detached" | "disconnected" | "deployed" | "stopping" | "stopped";

const moves: Record<AppState, readonly AppState[]> = {
  initializing: ["ephemeral", "detached", "deployed", "stopping"],
  ephemeral: ["stopping"],
  detached: ["disconnected", "stopping"],
  disconnected: ["stopping"],
  deployed: ["stopping"],
  stopping: ["stopped"],
  stopped: [],
};

export interface App {
  id: Id<"ap">;
  environmentId: Id<"en">;
  name: string;
  state: AppState;
  createdAt: number;
  createdBy: string;
  /** Undefined while it was never deployed. */
  deployedAt: number | undefined;
  deployedBy: string;
  /** Which of its deployments is in effect; 0 while there was none. */
  version: number;
  stoppedAt: number | undefined;
  /** Empty for one that ended by itself. */
  stoppedBy: string;
  /** What its owner has marked it with. */
  tags: Readonly<Record<string, string>>;
  /** What names what, as published: ids by the tags of the source file. */
  layout: AppLayout;
}

export interface AppLayout {
  functionIds: Readonly<Record<string, string>>;
  classIds: Readonly<Record<string, string>>;
}

export function mayMove(from: AppState, to: AppState): boolean {
  return moves[from].includes(to);
}

/** Whether calls are accepted and containers started. */
export function isAlive(state: AppState): boolean {
  return state !== "stopping" && state !== "stopped";
}

/** Whether the app ends when its client is not heard of. */
export function livesByHeartbeat(state: AppState): boolean {
  return state === "ephemeral" || state === "initializing";
}

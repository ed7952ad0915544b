/** Whose door a connection came through: a container's (`ta-…`), one that may do little, or a worker's own connection. */
export interface Identity {
  readonly kind: "container" | "restricted" | "worker";
  readonly id: string;
}

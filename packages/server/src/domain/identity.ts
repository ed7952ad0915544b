/** Whose door a connection came through: a container's (`ta-…`, or `im-…` in a build), one that may do little, or a worker's own connection. */
export interface Identity {
  readonly kind: "container" | "restricted" | "worker";
  readonly id: string;
}

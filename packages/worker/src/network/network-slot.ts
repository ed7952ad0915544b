/** What a container gets from the pool: a user namespace and a network namespace owned by it, both pinned by path. */

export interface NetworkSlot {
  /** Unique on this host, across platforms. */
  readonly index: number;
  /** Path of the pinned user namespace (map 0 BASE 65536); undefined in a pool without user namespaces. */
  readonly userns: string | undefined;
  /** Path of the pinned network namespace. */
  readonly netns: string;
  /** First uid and gid on the host; 0 in a pool without user namespaces. */
  readonly base: number;
  /** The address of eth0, where the host reaches what listens inside. */
  readonly address: string;
  /** A file on the host to show as /etc/resolv.conf. */
  readonly resolvConf: string;
}

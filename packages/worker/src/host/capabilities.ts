/**
 * What this host can do for containers, found out once by trying and kept: the kernel's version says too little. What the
 * worker decides by, and what people are told, come from the same answers.
 */
import { probeBuckets } from "./buckets.ts";
import { type CgroupSupport, probeCgroups } from "./cgroup-support.ts";
import { type Disk, probeDisk } from "./disk.ts";
import type { HostFinding } from "./finding.ts";
import { probeForwarding, probeNftables } from "./firewall.ts";
import { type KernelVersion, probeKernel, probeRights, probeSeccomp, probeSelinux } from "./kernel.ts";
import { type OverlayKind, probeLayers } from "./overlay.ts";
import * as programs from "./programs.ts";

export interface HostCapabilities {
  readonly kernel: KernelVersion;
  /** Root with the capabilities that containers need. */
  readonly isRoot: boolean;
  readonly cgroups: CgroupSupport | undefined;
  readonly overlay: OverlayKind;
  readonly userNamespaces: boolean;
  /** The data folder's file system can be shown with other owners; without it no container has a user namespace. */
  readonly idMaps: boolean;
  readonly seccomp: boolean;
  readonly runc: programs.HostProgram | undefined;
  readonly conmon: programs.HostProgram | undefined;
  readonly tini: programs.HostProgram | undefined;
  /** What mounts buckets; undefined where none can be mounted. */
  readonly rclone: string | undefined;
  readonly nftables: boolean;
  /** net.ipv4.ip_forward */
  readonly forwarding: boolean;
  readonly disk: Disk;
  /** The same for people, in the order in which to read them. */
  readonly findings: readonly HostFinding[];
}

/** `data`: the worker's folder, which need not exist yet. Leaves nothing behind. */
export async function probeHost(options: { data: string }): Promise<HostCapabilities> {
  const kernel = probeKernel();
  const rights = await probeRights();
  const isRoot = rights.value;
  const { probeProgram } = programs;
  const [cgroups, layers, seccomp, selinux, runc, conmon, tini, ip, mmdebstrap, nftables, forwarding, disk, buckets] =
    await Promise.all([
      probeCgroups(isRoot),
      probeLayers(options.data, isRoot),
      probeSeccomp(),
      probeSelinux(),
      probeProgram(programs.runc),
      probeProgram(programs.conmon),
      probeProgram(programs.tini),
      probeProgram(programs.ip),
      probeProgram(programs.mmdebstrap),
      probeNftables(isRoot),
      probeForwarding(isRoot),
      probeDisk(options.data),
      probeBuckets(),
    ]);
  const { overlay, userNamespaces, idMaps } = layers;
  const ofKernel = [kernel, rights, cgroups, overlay, userNamespaces, idMaps, seccomp, selinux];
  return {
    kernel: kernel.value,
    isRoot,
    cgroups: cgroups.value,
    overlay: overlay.value,
    userNamespaces: userNamespaces.value,
    idMaps: idMaps.value,
    seccomp: seccomp.value,
    runc: runc.value,
    conmon: conmon.value,
    tini: tini.value,
    rclone: buckets.value,
    nftables: nftables.value,
    forwarding: forwarding.value,
    disk: disk.value,
    findings: [...ofKernel, runc, conmon, tini, ip, nftables, forwarding, mmdebstrap, disk, buckets].flatMap(
      (probed) => probed?.finding ?? [],
    ),
  };
}

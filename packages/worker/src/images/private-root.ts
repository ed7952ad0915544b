/**
 * Runs the bootstrap's own steps inside a root made of layers, and keeps what they write.
 *
 * It is a chroot in mount, pid and, without package settings, network namespaces of its own, not a container: what runs
 * here are the distribution's packages and this host's Python, in which the host trusts anyway. That needs no runtime, no
 * network pool and no cgroup, so a base image can be made before any of them works; and as all mounts are private, none
 * outlives the program. User code is built in containers.
 */
import { chmod, mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { MountPoints } from "./mount-points.ts";
import type { PackageSettings } from "./package-settings.ts";
import { contained, runProgram } from "./run-program.ts";

/**
 * Its arguments: the scratch folder; the number of layers and these, topmost first; the number of binds and these in
 * pairs; the command. Layers are bound to short names, since mount's options take no colons, commas or long lists.
 */
const enterRoot = `
set -eu
umask 022
cd "$1"; shift
stack=points
count=$1; shift
while [ "$count" -gt 0 ]; do
  mkdir -p "l$count"
  mount --bind "$1" "l$count"; shift
  stack="$stack:l$count"
  count=$((count - 1))
done
mount -t overlay -o "lowerdir=$stack,upperdir=u,workdir=w,redirect_dir=off,metacopy=off,index=off" overlay merged
mount -t proc proc merged/proc
mount -t tmpfs -o mode=755,nosuid tmpfs merged/dev
for name in null zero full random urandom tty; do
  : > "merged/dev/$name"
  mount --bind "/dev/$name" "merged/dev/$name"
done
mkdir -m 1777 merged/dev/shm
ln -s /proc/self/fd merged/dev/fd
count=$1; shift
while [ "$count" -gt 0 ]; do
  mount --bind "$1" "merged$2"
  mount -o remount,bind,ro "merged$2"
  shift 2
  count=$((count - 1))
done
status=0
chroot merged "$@" || status=$?
umount -R merged || umount -R -l merged || true # they end with this namespace in any case
exit "$status"
`;

/** What processes in the root have beside the host's package settings. */
const baseEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
};

export class PrivateRoot {
  /** What the programs write; may be filled beforehand. */
  readonly upper: string;
  readonly #scratch: string;
  readonly #layers: readonly string[];
  readonly #binds: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #network: "host" | "none";

  private constructor(
    scratch: string,
    layers: readonly string[],
    settings: PackageSettings | undefined,
    binds: readonly string[],
  ) {
    this.#scratch = scratch;
    this.upper = join(scratch, "u");
    this.#layers = layers;
    this.#binds = binds;
    this.#environment = { ...settings?.environment, ...baseEnvironment };
    this.#network = settings === undefined ? "none" : "host";
  }

  /** `layers`: topmost first. With package settings its programs reach the network and see them; without, neither. */
  static async make(scratch: string, layers: readonly string[], settings?: PackageSettings): Promise<PrivateRoot> {
    for (const name of ["u", "w", "points", "merged", "settings"]) {
      await mkdir(join(scratch, name));
      await chmod(join(scratch, name), 0o755);
    }
    const points = new MountPoints(join(scratch, "points"), layers);
    points.make("/proc", "folder");
    points.make("/dev", "folder");
    const binds: string[] = [];
    for (const { source, path } of settings?.binds ?? []) {
      const kind = (await stat(source)).isDirectory() ? "folder" : "file";
      binds.push(source, points.make(path, kind));
    }
    for (const [index, { path, text }] of (settings?.files ?? []).entries()) {
      const source = join(scratch, "settings", String(index));
      await writeFile(source, text, { mode: 0o644 });
      binds.push(source, points.make(path, "file"));
    }
    return new PrivateRoot(scratch, layers, settings, binds);
  }

  /** Runs a program of the root, whose output comes back. */
  run(
    command: readonly [string, ...string[]],
    options: { name: string; signal: AbortSignal; env?: Readonly<Record<string, string>>; hint?: string },
  ): Promise<string> {
    const { name, signal, hint } = options;
    const layers = [String(this.#layers.length), ...this.#layers];
    const binds = [String(this.#binds.length / 2), ...this.#binds];
    const script = ["/bin/sh", "-c", enterRoot, "enter-root", this.#scratch, ...layers, ...binds, ...command];
    const env = { ...this.#environment, ...options.env };
    return runProgram(contained(script, this.#network), { env, name, signal, ...(hint === undefined ? {} : { hint }) });
  }

  /** Makes what was written the layer `diff`, an empty folder on the same disk. */
  async publish(diff: string): Promise<void> {
    await rename(this.upper, diff);
  }
}

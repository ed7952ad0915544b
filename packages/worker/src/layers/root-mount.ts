/** A container's root: overlayfs over layers, optionally with mapped ids, attached and shared at once. */
import { accessSync, chmodSync, constants, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit/errors";

import { Descriptor, openEntry, openFile, openFolder } from "./descriptor.ts";
import {
  asOwner,
  attach,
  attribute,
  cloneTree,
  detachMount,
  FileSystemContext,
  mountByName,
  setAttributes,
} from "./mount-calls.ts";
import type { RootMount } from "./mounter.ts";

/**
 * How overlayfs is told its layers: by descriptors of trees that need not be attached anywhere (the kernel takes
 * `lowerdir+` by descriptor, and detached trees, since 6.15), or by names in mount(2)'s one page of options.
 */
export type LayersBy = "descriptors" | "names";

/** What makes an upper a diff that can be a layer anywhere, whatever this kernel's defaults are. */
const portable = { redirect_dir: "off", metacopy: "off", index: "off" } as const;

const optionsOf = ({ redirects = false }: RootMount): Readonly<Record<string, string>> =>
  redirects ? { ...portable, redirect_dir: "on" } : portable;

/** Device nodes of an image open nothing; a container's /dev is a mount of its own. */
const rootFlags = attribute.noDevices;

/** mount(2) copies one page of options, its last byte a zero. */
const optionBytes = 4095;

export function mountRoot(mount: RootMount, layersBy: LayersBy): void {
  if (mount.lowers.length === 0) throw new PlatformError(`a root at ${mount.target} needs at least one layer`);
  const made = makeWorkFolder(mount.work);
  try {
    const base = mount.idMap?.base ?? 0;
    using userns = mount.idMap === undefined ? undefined : openFile(mount.idMap.userns);
    const owned: OwnedMount = { ...mount, userns, owner: { uid: base, gid: base } };
    if (layersBy === "descriptors") byDescriptors(owned);
    else if (userns === undefined) byNames(owned);
    else byNamesOfMappedTrees(owned, userns);
    share(mount);
  } catch (error) {
    // The kernel may have marked its folder as used; the next try is to find none.
    for (const folder of made) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Refuses a root that came out read-only, which overlayfs makes without an error when it cannot use its work folder. */
function share({ target, work }: RootMount): void {
  try {
    accessSync(target, constants.W_OK);
    using merged = openFolder(target);
    setAttributes(merged, { propagation: "shared" });
  } catch (error) {
    detachMount(target);
    if (!hasCode(error, "EROFS")) throw error;
    throw new PlatformError(`the root at ${target} came out read-only: the kernel cannot use ${work} for its upper`, {
      hint: "the kernel's log (dmesg) says why",
      cause: error,
    });
  }
}

interface OwnedMount extends RootMount {
  readonly userns: Descriptor | undefined;
  /**
   * The host's ids of the container's root. The mount is made with them as file system ids: with others the kernel cannot
   * make its own folder in a mapped work folder, and silently mounts read-only.
   */
  readonly owner: { uid: number; gid: number };
}

/**
 * Makes what is missing; answers what that was. On disk all is owned by root, and the umask has no say in what becomes the
 * container's `/`.
 */
function makeWorkFolder(work: string): string[] {
  mkdirSync(work, { recursive: true, mode: 0o700 });
  const [upper, own] = [join(work, "u"), join(work, "w")];
  if (existsSync(join(own, "work", "incompat", "volatile"))) {
    throw new PlatformError(`the upper in ${work} was in a mount that never synced and cannot be trusted`, {
      hint: "use a new folder",
    });
  }
  const made: string[] = [];
  if (makeFolder(upper)) made.push(upper);
  if (made.length > 0) chmodSync(upper, 0o755);
  if (makeFolder(own)) made.push(own);
  return made;
}

function makeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** A clone of the folder's tree, attached nowhere, with mapped ids where there is a user namespace. */
function cloneLayer(folder: string, userns: Descriptor | undefined): Descriptor {
  const tree = cloneTree(folder);
  try {
    setAttributes(tree, { userns, propagation: "private" });
    return tree;
  } catch (error) {
    tree[Symbol.dispose]();
    throw error;
  }
}

interface OpenLayers {
  readonly lowers: readonly Descriptor[];
  /** Of one tree, as overlayfs demands. */
  readonly upper: Descriptor;
  readonly work: Descriptor;
}

function openLayers(mount: RootMount, held: DisposableStack, open: (folder: string) => Descriptor): OpenLayers {
  const lowers = mount.lowers.map((layer) => held.use(open(layer.diff)));
  const home = held.use(open(mount.work));
  const [upper, work] = [held.use(openEntry(home, "u", "folder")), held.use(openEntry(home, "w", "folder"))];
  return { lowers, upper, work };
}

/** Of clones also where no ids are mapped: a container's list of mounts then names no folder of the host. */
function byDescriptors(mount: OwnedMount): void {
  using held = new DisposableStack();
  const { lowers, upper, work } = openLayers(mount, held, (folder) => cloneLayer(folder, mount.userns));
  const merged = asOwner(mount.owner, () => {
    using context = new FileSystemContext("overlay");
    context.setText("source", "overlay");
    for (const lower of lowers) context.setDescriptor("lowerdir+", lower);
    context.setDescriptor("upperdir", upper);
    context.setDescriptor("workdir", work);
    for (const [key, value] of Object.entries(optionsOf(mount))) context.setText(key, value);
    if (mount.volatile) context.setFlag("volatile");
    return context.create(mount.target, rootFlags);
  });
  attach(held.use(merged), mount.target);
}

function byNames(mount: RootMount): void {
  using held = new DisposableStack();
  const layers = openLayers(mount, held, openFolder);
  mountByName("overlay", mount.target, rootFlags, overlayOptions(layers, mount));
}

/**
 * Before detached trees are taken for layers they must be attached somewhere while the overlay is made. That is a small
 * tmpfs on the target itself: a crash in between leaves nothing but mounts below the target, which its owner removes.
 */
function byNamesOfMappedTrees(mount: OwnedMount, userns: Descriptor): void {
  mountByName("tmpfs", mount.target, attribute.noSuid | attribute.noDevices, "size=1m,mode=0700");
  let merged: Descriptor;
  try {
    using held = new DisposableStack();
    setAttributes(held.use(openFolder(mount.target)), { propagation: "private" });
    let attached = 0;
    const layers = openLayers(mount, held, (folder) => {
      const tree = held.use(cloneLayer(folder, userns));
      const place = join(mount.target, String(attached++));
      mkdirSync(place);
      attach(tree, place);
      return tree;
    });
    const place = join(mount.target, "merged");
    mkdirSync(place);
    asOwner(mount.owner, () => mountByName("overlay", place, rootFlags, overlayOptions(layers, mount)));
    merged = cloneTree(place);
  } finally {
    detachMount(mount.target);
  }
  using tree = merged;
  attach(tree, mount.target);
}

function overlayOptions({ lowers, upper, work }: OpenLayers, mount: RootMount): string {
  const options = [
    `lowerdir=${lowers.map((lower) => lower.procPath).join(":")}`,
    `upperdir=${upper.procPath}`,
    `workdir=${work.procPath}`,
    ...Object.entries(optionsOf(mount)).map(([key, value]) => `${key}=${value}`),
    ...(mount.volatile ? ["volatile"] : []),
  ].join(",");
  if (options.length <= optionBytes) return options;
  throw new PlatformError(`this kernel cannot mount the ${lowers.length} layers of the root at ${mount.target}`, {
    hint: "fold some of them into one, or use Linux 6.15 or later",
  });
}

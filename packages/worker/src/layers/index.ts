/** Layers and mounts: what the rest of the worker uses of them. */
export { type EntryKind, entryKind } from "./entry-kind.ts";
export { makeOpaque, makeWhiteout, sealDiff, syncFileSystem } from "./layer-diff.ts";
export { type Fill, type Layer, LayerInUseError, LayerStore } from "./layer-store.ts";
export { type MountEntry, parseMountInfo } from "./mount-table.ts";
export { type BindMount, type IdMap, Mounter, type MounterOptions, type RootMount } from "./mounter.ts";
export type { LayersBy } from "./root-mount.ts";
export { SystemCallError } from "./system-call.ts";

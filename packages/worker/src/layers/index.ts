/** Layers and mounts: what the rest of the worker uses of them. */
export { type EntryKind, entryKind } from "./entry-kind.ts";
export { type CheckedLayers, checkLayers, type DamagedLayer, imageOfRecord } from "./check-layers.ts";
export { makeOpaque, makeWhiteout, sealDiff, syncFileSystem } from "./layer-diff.ts";
export { type Fill, type Layer, LayerInUseError, LayerStore } from "./layer-store.ts";
export { LayerFacts, readFacts } from "./layer-facts.ts";
export { recordHolder } from "./layer-holders.ts";
export type { LayerLease } from "./layer-lease.ts";
export type { LeftMount } from "./left-mount.ts";
export { clonesOf, isMounted, type MountEntry, parseMountInfo } from "./mount-table.ts";
export { type BindMount, type IdMap, Mounter, type MounterOptions, type RootMount } from "./mounter.ts";
export type { LayersBy } from "./root-mount.ts";
export { SystemCallError } from "./system-call.ts";
export { type TreeFacts } from "./tree-facts.ts";
export { TreeReader } from "./tree-reader.ts";

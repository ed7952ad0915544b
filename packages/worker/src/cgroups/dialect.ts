/** What differs between the versions of control groups; what they share is in cgroups.ts. */

/** What is absent stays as it is. */
export interface CgroupLimits {
  /** A ceiling of CPU time in thousandths of a core, at least 10 (the kernel's smallest); `none` lifts it. */
  readonly milliCpu?: number | "none";
  /** The share where processes compete for the cores: the thousandths of a core that were asked for. */
  readonly shareMilliCpu?: number;
  /** Memory, with what is in the page cache; nothing is swapped out beside it. */
  readonly memoryMib?: number | "none";
  /** Processes and threads at a time. */
  readonly pids?: number | "none";
}

export interface CgroupUsage {
  /** CPU time used so far, in microseconds. */
  readonly cpuMicroseconds: number;
  readonly memoryBytes: number;
  /** The most that it ever was; undefined where the kernel does not keep it (version 2 before 5.19). */
  readonly peakBytes: number | undefined;
  /** Processes and threads. */
  readonly pids: number;
}

export interface CgroupDialect {
  /** A host with both (hybrid) has its controllers in version 1. */
  readonly version: 1 | 2;
  readonly controllers: ReadonlySet<string>;
  /** Where a control group lies in each hierarchy: one folder in version 2, about ten in version 1. */
  folders(path: string): readonly string[];
  /** Lets the children of a control group have limits; called for each ancestor of a new one, from the root on. */
  openToChildren(path: string): Promise<void>;
  limit(path: string, limits: CgroupLimits): Promise<void>;
  /** 0 when the control group is gone. */
  oomKills(path: string): Promise<number>;
  usage(path: string): Promise<CgroupUsage>;
  /** One round of SIGKILL for every process in it and below, which also reaches frozen ones. */
  killRound(path: string): Promise<void>;
  /** Calls `look` when processes may have been killed for want of memory. */
  watchMemory(path: string, look: () => void): Disposable;
  /** Lifts the ceiling of CPU time; answers what was written there if there was one. */
  liftQuota(path: string): Promise<string | undefined>;
  restoreQuota(path: string, quota: string): Promise<void>;
  setFrozen(path: string, frozen: boolean): Promise<void>;
  isFrozen(path: string): Promise<boolean>;
}

/** One period of CPU bandwidth control; the kernel's own default. */
export const periodMicroseconds = 100_000;

/** What may be used in one period; the kernel takes no less than 1 ms. */
export function quotaMicroseconds(milliCpu: number): number {
  return Math.max(1000, Math.round((milliCpu * periodMicroseconds) / 1000));
}

export const mebibyte = 1024 * 1024;

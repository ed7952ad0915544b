/** What the database takes, and what there is beside it. */
import { stat } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

export interface DiskUse {
  /** All in bytes. */
  store: number;
  free: number;
  total: number;
}

export interface DiskDeps {
  /** The server's folder. */
  data: string;
  /** What the folder's disk has. */
  room: () => Promise<{ free: number; total: number }>;
}

export async function diskUse({ data, room }: DiskDeps): Promise<DiskUse> {
  const file = join(data, "store.sqlite");
  return { ...(await room()), store: (await sizeOf(file)) + (await sizeOf(`${file}-wal`)) };
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return 0;
    throw error;
  }
}

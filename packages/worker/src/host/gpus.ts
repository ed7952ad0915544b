/** Which accelerators this host has, by what NVIDIA's driver says of them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { namesIn } from "@lydian/kit";

export interface HostGpus {
  /** As functions ask for it, such as "H100" or "A100-80GB". */
  kind: string;
  count: number;
}

const driverFolder = "/proc/driver/nvidia/gpus";

/** Empty where there is no driver. */
export async function hostGpus(folder: string = driverFolder): Promise<HostGpus[]> {
  const cards = await namesIn(folder);
  const texts = await Promise.all(cards.map((card) => readFile(join(folder, card, "information"), "utf8")));
  const counts = new Map<string, number>();
  for (const text of texts) {
    const kind = gpuKind(/^Model:\s*(.+)$/m.exec(text)?.[1] ?? "");
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => ({ kind, count }));
}

/** "NVIDIA A100-SXM4-80GB" is an "A100-80GB", "NVIDIA H100 80GB HBM3" an "H100", "Tesla T4" a "T4". */
export function gpuKind(model: string): string {
  const words = model
    .toUpperCase()
    .replace(/^(?:NVIDIA|TESLA|QUADRO)\s+/, "")
    .split(/[\s-]+/);
  const [first = "GPU", ...rest] = words[0] === "GEFORCE" || words[0] === "RTX" ? [words.slice(0, 2).join("-")] : words;
  const size = rest.find((word) => /^\d+GB$/.test(word));
  // Only of the A100 there are two that functions ask for by their memory.
  return first === "A100" && size !== undefined ? `A100-${size}` : first;
}

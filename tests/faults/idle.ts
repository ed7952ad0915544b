/** What a platform is like when it has no container. */
import { globSync } from "node:fs";

import { type Platform, until } from "@lydian/testkit";

import { networksReady } from "@lydian/worker/src/runtime/runc/open-runc";

/** A container that nobody calls ends after two seconds, and its client needs another. */
const patienceMs = 180_000;

/** Looking takes as long as some tens of processes do. */
const pauseMs = 200;

/** Of containers, in its folder: what has not been reported or deleted yet. */
export function keptIn({ data }: Platform): string[] {
  return globSync(["worker/containers/*", "worker/trash/*", "worker/d/[0-9a-f]*"], { cwd: data });
}

/** Waits until it has no container; answers how much of each kind it has on the host then. */
export async function idleTraces(
  platform: Platform,
  expected?: Record<string, number>,
): Promise<Record<string, number>> {
  let lines: string[] = [];
  return await until(
    patienceMs,
    async () => {
      lines = [...(await platform.traces()), ...keptIn(platform).map((path) => `kept ${path}`)];
      const counts = countKinds(lines);
      const isIdle = counts["link"] === networksReady && counts["holder"] === undefined && counts["kept"] === undefined;
      const isExpected = expected === undefined || JSON.stringify(counts) === JSON.stringify(expected);
      return isIdle && isExpected && counts;
    },
    () =>
      platform.describe(
        `it has more than ${JSON.stringify(expected ?? "nothing of containers")}:\n${lines.join("\n")}`,
      ),
    pauseMs,
  );
}

function countKinds(lines: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(lines, (line) => line.slice(0, line.indexOf(" ")))].map(([kind, all]) => [kind, all.length]),
  );
}

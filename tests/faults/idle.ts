/** What a platform is like when it has no container. */
import { globSync } from "node:fs";

import { type Platform, until } from "@lydian/testkit";

import { networksReady } from "@lydian/worker/src/runtime/runc/open-runc";

/** A container that nobody calls ends after two seconds, and its client needs another. */
const patienceMs = 180_000;

/** Supervisor, server, worker. */
const processes = 3;

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
      const isExpected = expected === undefined || JSON.stringify(counts) === JSON.stringify(expected);
      return isIdle(lines, counts) && isExpected && counts;
    },
    () => {
      const [found, wanted] = [countKinds(lines), expected ?? "nothing of containers"];
      return platform.describe(`it has ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}:\n${lines.join("\n")}`);
    },
    pauseMs,
  );
}

/** Nothing of containers is left, and no network is just being made or removed. */
function isIdle(lines: readonly string[], counts: Record<string, number>): boolean {
  const isOfContainer = /^(?:kept|holder) |^(?:path|mount) .*\/(?:c|slots)\/.|^group .*\/lydian\/\w+\/./;
  const pinned = new Set(lines.flatMap((line) => /^path .*\/ns\/(\d+)/.exec(line)?.[1] ?? []));
  return (
    !lines.some((line) => isOfContainer.test(line)) &&
    counts["link"] === networksReady &&
    pinned.size === networksReady &&
    counts["process"] === processes
  );
}

function countKinds(lines: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(lines, (line) => line.slice(0, line.indexOf(" ")))].map(([kind, all]) => [kind, all.length]),
  );
}

/** Splits a sampling profile of the server by what the time was spent for: the innermost frame that names a phase. */

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

/** From the most particular to the most general; the first that matches a frame names the phase. */
const phases: readonly (readonly [phase: string, matches: (url: string, name: string) => boolean])[] = [
  ["garbage collection", (_url, name) => name === "(garbage collector)"],
  ["submit", (url) => url.endsWith("/calls/submit.ts")],
  ["claim", (url) => url.endsWith("/calls/claim.ts") || url.endsWith("/calls/deliveries.ts")],
  ["complete", (url) => url.endsWith("/calls/complete.ts")],
  ["await", (url) => url.endsWith("/calls/await.ts")],
  ["commit to disk", (_url, name) => name === "#commit"],
  ["kept replies", (url) => url.endsWith("/rpc/platform.ts")],
  ["schedule", (url) => url.includes("/server/src/scheduler/")],
  ["log", (url) => url.includes("/server/src/logs/")],
  ["workers' sessions", (url) => url.includes("/server/src/workers/")],
  ["codecs and access", (url) => url.includes("/server/src/rpc/") || url.includes("/@bufbuild/")],
  ["gRPC and HTTP/2", (url) => url.includes("/@grpc/") || url.startsWith("node:internal/http2")],
  ["loading the program", (url) => url.includes("/modules/") || url.includes("amaro")],
];

/** Milliseconds by phase, largest first; idle time is left out. */
export function phasesOf(text: string): { phase: string; ms: number }[] {
  const profile = JSON.parse(text) as Profile;
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const total = new Map<string, number>();
  profile.samples.forEach((sample, index) => {
    const phase = phaseOf(sample);
    if (phase === undefined) return;
    total.set(phase, (total.get(phase) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1000);
  });
  return [...total].map(([phase, spent]) => ({ phase, ms: spent })).sort((a, b) => b.ms - a.ms);

  /** Walks outwards; undefined for time in which the process did nothing. */
  function phaseOf(sample: number): string | undefined {
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const { functionName = "", url = "" } = nodes.get(id)?.callFrame ?? {};
      if (functionName === "(idle)") return undefined;
      const found = phases.find(([, matches]) => matches(url, functionName));
      if (found !== undefined) return found[0];
    }
    return "other";
  }
}

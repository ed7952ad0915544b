// Which way imports point: the table of the design, as data. An arrow that is not here fails the check.

/** Package -> the packages that its src may import; "x:types" allows only `import type`. */
export const packageArrows = /** @type {Record<string, readonly string[]>} */ ({
  contract: [],
  kit: [],
  server: ["contract", "kit"],
  worker: ["contract", "kit"],
  sdk: ["contract", "kit"],
  cli: ["contract", "server", "worker", "sdk", "kit"],
  dashboard: ["contract:types"],
  // Its platform on port 0 is made of the real parts. Only tests and benchmarks may import it, so the arrows still form no circle.
  testkit: ["contract", "kit", "server", "worker", "sdk", "cli"],
});

/** What a package's own tests may import besides. */
export const testArrows = ["testkit"];

/** Folders at the root that may import packages, and which of them; "*" is every one, testkit included. */
export const rootArrows = /** @type {Record<string, readonly string[]>} */ ({
  tests: ["*"],
  bench: ["contract", "kit", "server", "worker", "sdk", "cli", "testkit"],
  examples: ["contract", "kit", "server", "worker", "sdk", "cli"],
  scripts: [],
});

/** The folders of use cases: each may import the others, but for what serverAllows says. */
const useCases = [
  "apps",
  "calls",
  "containers",
  "content",
  "dicts",
  "environments",
  "functions",
  "identity",
  "images",
  "logs",
  "metrics",
  "mounts",
  "objects",
  "queues",
  "sandboxes",
  "scheduler",
  "schedules",
  "secrets",
  "statistics",
  "sweeps",
  "traces",
  "volumes",
  "web",
  "workers",
];

/** The layers of packages/server/src, by folder. Files beside the folders (main.ts, ...) wire them and may import all. */
const serverLayers = /** @type {Record<string, readonly string[]>} */ ({
  domain: ["domain"],
  useCase: ["useCase", "domain"],
  store: ["domain"],
  grpc: [],
  rpc: ["useCase", "domain", "grpc"],
  ingress: ["useCase", "domain", "grpc"],
  api: ["useCase", "domain"],
});

/** Files beside the folders that every folder may import: they import no folder but domain themselves. */
export const serverLeaves = ["errors", "wording", "config", "version"];

/** A folder of packages/server/src -> its layer. @param {string} folder @returns {string | undefined} */
export function serverLayer(folder) {
  if (useCases.includes(folder)) return "useCase";
  return folder in serverLayers ? folder : undefined;
}

/**
 * @param {string} from a folder of packages/server/src
 * @param {string} to another
 */
export function serverAllows(from, to) {
  if (from === to) return true;
  // A submitted call is demand in the store and a bell; the scheduler reads the one and hears the other.
  if (from === "calls" && to === "scheduler") return false;
  const [layer, target] = [serverLayer(from), serverLayer(to)];
  return layer !== undefined && target !== undefined && (serverLayers[layer] ?? []).includes(target);
}

/**
 * Whether options are what they are said to be. The compiler sees to that, but not all programs are type-checked: what it would have
 * found is refused here by its name, before anything is asked of a platform.
 */
import { InvalidError } from "./errors.ts";
import { CloudBucketMount } from "./objects/cloud-bucket.ts";
import { Image } from "./objects/image.ts";
import { Proxy } from "./objects/proxy.ts";
import { Cron, Period } from "./objects/schedule.ts";
import { Secret } from "./objects/secret.ts";
import { Volume } from "./objects/volume.ts";
import type { AppDefaults, Batching, Concurrency, FunctionOptions, ResourceOptions, WebOptions } from "./options.ts";
import { withArticle } from "./values/with-article.ts";

interface Kind {
  /** For people. */
  readonly what: string;
  readonly has: (value: unknown) => boolean;
}

type Kinds<O> = Readonly<Record<keyof O, Kind>>;

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => typeof value === "number";
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const pairOr = (has: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) ? value.length === 2 && value.every(has) : has(value);
const someOr = (has: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) ? value.every(has) : has(value);

const flag: Kind = { what: "true or false", has: (value) => typeof value === "boolean" };
const text: Kind = { what: "a text", has: isText };
const texts: Kind = { what: "a list of texts", has: (value) => Array.isArray(value) && value.every(isText) };
const textOrTexts: Kind = { what: "a text, or a list of texts", has: someOr(isText) };
const count: Kind = { what: "a number", has: isNumber };
const size: Kind = {
  what: 'a number of MiB, or a text such as "4GiB"',
  has: (value) => isNumber(value) || isText(value),
};
const duration: Kind = { what: 'a number of seconds, or a text such as "10m"', has: size.has };
const object: Kind = { what: "an object", has: isRecord };
const image: Kind = { what: "an Image, such as Image.debianSlim()", has: (value) => value instanceof Image };
const secret: Kind = { what: 'a Secret, such as Secret.fromName("name")', has: (value) => value instanceof Secret };
const secrets: Kind = {
  what: 'a list of secrets, such as [Secret.fromName("name")]',
  has: (value) => Array.isArray(value) && value.every(secret.has),
};
const volumes: Kind = {
  what: 'volumes by their paths, such as { "/data": Volume.fromName("name") }',
  has: (value) =>
    isRecord(value) && Object.values(value).every((each) => each instanceof Volume || each instanceof CloudBucketMount),
};
const textsByName: Kind = {
  what: "texts by their names",
  has: (value) => isRecord(value) && Object.values(value).every(isText),
};

const resources: Kinds<ResourceOptions> = {
  cpu: { what: "a number of cores, or [request, limit]", has: pairOr(isNumber) },
  memory: { what: `${size.what}, or [request, limit]`, has: pairOr(size.has) },
  gpu: textOrTexts,
  timeout: duration,
  secrets,
  volumes,
  minContainers: count,
  maxContainers: count,
  bufferContainers: count,
  scaledownWindow: duration,
  retries: { what: "a number, or { maxRetries, … }", has: (value) => isNumber(value) || isRecord(value) },
};

/** What `withOptions` takes, and a variant has besides. */
export const variantKinds: Kinds<ResourceOptions & { concurrent: Concurrency; batched: Batching }> = {
  ...resources,
  concurrent: object,
  batched: object,
};

export const functionKinds: Kinds<FunctionOptions> = {
  ...resources,
  name: text,
  image,
  env: textsByName,
  concurrent: object,
  schedule: {
    what: 'a schedule, such as new Cron("0 9 * * *")',
    has: (value) => value instanceof Cron || value instanceof Period,
  },
  region: textOrTexts,
  cloud: text,
  routingRegion: text,
  nonpreemptible: flag,
  enableMemorySnapshot: flag,
  clustered: object,
  startupTimeout: duration,
  blockNetwork: flag,
  proxy: { what: "a Proxy", has: (value) => value instanceof Proxy },
  singleUseContainers: flag,
  ephemeralDisk: size,
  isGenerator: flag,
};

export const webKinds: Kinds<FunctionOptions & WebOptions> = {
  ...functionKinds,
  label: text,
  customDomains: texts,
  requiresProxyAuth: flag,
};

export const appKinds: Kinds<AppDefaults> = {
  image,
  secrets,
  volumes,
  env: textsByName,
  tags: textsByName,
  npmSecret: secret,
  includeFiles: texts,
};

/** Throws an InvalidError that names the option. `of`: what has it, such as "a function". What is undefined counts as left out. */
export function checkOptions(options: object, kinds: Readonly<Record<string, Kind>>, of: string): void {
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      const near = nearest(name, Object.keys(kinds));
      const all = `there are: ${Object.keys(kinds).toSorted().join(", ")}`;
      throw new InvalidError(`${of} has no option ${name}`, {
        hint: near === undefined ? all : `did you mean ${near}? ${all[0]?.toUpperCase()}${all.slice(1)}`,
      });
    }
    if (value !== undefined && !kind.has(value))
      throw new InvalidError(`${name} of ${of} is ${shown(value)}, and has to be ${kind.what}`);
  }
}

function shown(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    const kind = value.constructor?.name ?? "Object";
    return kind === "Object" ? "an object" : kind === "Array" ? "a list" : withArticle(kind);
  }
  return isText(value) ? JSON.stringify(value) : String(value);
}

/** The one that somebody may have meant who wrote this; undefined where none is like it. */
function nearest(word: string, names: readonly string[]): string | undefined {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, "");
  const distances = names.map((name) => [name, editDistance(plain(word), plain(name))] as const);
  const [best] = distances.toSorted(([, a], [, b]) => a - b);
  return best !== undefined && best[1] <= Math.max(1, Math.floor(word.length / 3)) ? best[0] : undefined;
}

/** Letters to insert, delete or replace that make one word of the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [i, letter] of from.split("").entries()) {
    const next = [i + 1];
    for (const [j, other] of to.split("").entries()) {
      const replaced = (row[j] ?? 0) + Number(letter !== other);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** What the tests of the network share: pools that end with the test, looks from inside a namespace, a stand-in for the world. */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { silentLogger, systemClock } from "@lydian/kit";

import { NetworkPool, type NetworkPoolOptions } from "@lydian/worker/src/network/network-pool";
import type { Target, Verdict } from "./probe.ts";

export const needsRoot = process.getuid?.() === 0 ? {} : { skip: "network namespaces need root" };

const run = promisify(execFile);

/** Runs a program of the host to its end; answers its output. */
export async function tool(program: string, ...args: string[]): Promise<string> {
  return (await run(program, args, { timeout: 20_000 })).stdout;
}

export const newInstance = (): string => `t${randomBytes(3).toString("hex")}`;

const undoing = new WeakMap<TestContext, AsyncDisposableStack>();

/** When the test ends, the last comes first; the runner's own order is the other way round. */
function atEnd(t: TestContext, undo: () => Promise<unknown>): void {
  let stack = undoing.get(t);
  if (stack === undefined) {
    const fresh = new AsyncDisposableStack();
    stack = fresh;
    undoing.set(t, fresh);
    t.after(() => fresh.disposeAsync());
  }
  stack.defer(async () => void (await undo()));
}

/** A folder that ends with the test, after what was opened in it. */
export async function scratchFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lydian-net-"));
  atEnd(t, () => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestPool {
  readonly pool: NetworkPool;
  readonly options: NetworkPoolOptions;
}

/** A pool of which nothing is left after the test, and whose test fails if something is. */
export async function openPool(t: TestContext, changes: Partial<NetworkPoolOptions> = {}): Promise<TestPool> {
  const options: NetworkPoolOptions = {
    instance: newInstance(),
    folder: changes.folder ?? join(await scratchFolder(t), "network"),
    size: 1,
    userns: true,
    logger: silentLogger,
    clock: systemClock,
    ...changes,
  };
  const pool = await NetworkPool.open(options);
  atEnd(t, () => pool.close({ remove: true }));
  return { pool, options };
}

/** What of a pool there is on the host. */
export interface Traces {
  readonly links: readonly string[];
  readonly tables: readonly string[];
  readonly mounts: readonly string[];
  readonly folder: readonly string[];
}

export const noTraces: Traces = { links: [], tables: [], mounts: [], folder: [] };

export async function traces({ instance, folder }: Pick<NetworkPoolOptions, "instance" | "folder">): Promise<Traces> {
  const mountinfo = await readFile("/proc/self/mountinfo", "utf8");
  const mounts = mountinfo.split("\n").map((line) => line.split(" ")[4] ?? "");
  const tables = (await tool("nft", "list", "tables")).split("\n").map((line) => line.split(" ")[2] ?? "");
  return {
    links: (await readdir("/sys/class/net")).filter((link) => link.startsWith(`ly${instance}-`)),
    tables: tables.filter((table) => table === `lydian_${instance}`),
    mounts: mounts.filter((point) => point.startsWith(folder)),
    folder: await readdir(folder, { recursive: true }).catch(() => []),
  };
}

/** Tries to reach all targets at once from within the namespace, as the host's root, who may more than a container. */
export async function probe(netns: string, targets: readonly Target[]): Promise<Verdict[]> {
  const script = fileURLToPath(new URL("./probe.ts", import.meta.url));
  return JSON.parse(
    await tool("nsenter", `--net=${netns}`, process.execPath, script, JSON.stringify(targets)),
  ) as Verdict[];
}

export interface Resident {
  readonly lines: readonly string[];
  /** The first line, also of those to come, that fits. */
  line(pattern: RegExp): Promise<string>;
  /** Gives it a line to read. */
  tell(line: string): void;
}

/** A program that lives in a namespace until the test ends, and says what happens line by line. */
export async function liveIn(t: TestContext, netns: string, ...args: string[]): Promise<Resident> {
  const child = spawn("nsenter", [`--net=${netns}`, process.execPath, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const gone = once(child, "close");
  atEnd(t, async () => {
    child.stdin.end();
    await gone;
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  return {
    lines,
    tell: (line) => void child.stdin.write(`${line}\n`),
    line: (pattern) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = lines.find((line) => pattern.test(line));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** A host of the outside: a namespace behind a link of the host, with servers that tell whom they hear. */
export interface Outside {
  readonly address: string;
  /** The host's, on the link between them. */
  readonly hostAddress: string;
  readonly port: number;
  /** What its servers said: `tcp ADDRESS`, `udp ADDRESS TEXT`. */
  readonly heard: Resident;
}

/** `more`: further addresses that it has, to which the host gets a route. */
export async function outside(t: TestContext, more: readonly string[] = [], port = 7000): Promise<Outside> {
  const holder = spawn("unshare", ["--net", "--", "cat"], { stdio: ["pipe", "pipe", "inherit"] });
  const gone = once(holder, "close");
  atEnd(t, async () => {
    holder.stdin.end();
    await gone;
  });
  holder.stdin.write("\n");
  await once(holder.stdout, "data");
  const [a, b] = randomBytes(2);
  const link = `out${randomBytes(3).toString("hex")}`;
  const first = (b ?? 0) & ~3;
  const hostAddress = `198.51.${a}.${first + 1}`;
  const address = `198.51.${a}.${first + 2}`;
  const netns = `/proc/${holder.pid}/ns/net`;
  await tool("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", String(holder.pid));
  atEnd(t, () => tool("ip", "link", "delete", link));
  await tool("ip", "address", "add", `${hostAddress}/30`, "dev", link);
  await tool("ip", "link", "set", link, "up");
  const inside = (...args: string[]): Promise<string> => tool("nsenter", `--net=${netns}`, "ip", ...args);
  for (const one of [`${address}/30`, ...more.map((address) => `${address}/32`)]) {
    await inside("address", "add", one, "dev", "eth0");
  }
  await inside("link", "set", "lo", "up");
  await inside("link", "set", "eth0", "up");
  // So that what comes with a false source could be answered, and a dropped packet is the rules' doing.
  await inside("route", "add", "default", "via", hostAddress);
  for (const address of more) await tool("ip", "route", "add", `${address}/32`, "dev", link);
  const heard = await liveIn(t, netns, fileURLToPath(new URL("./servers.ts", import.meta.url)), String(port));
  await heard.line(/^ready/);
  return { address, hostAddress, port, heard };
}

/** The host's end of a slot's link. */
export function gateway({ address }: { address: string }): string {
  const octets = address.split(".").map(Number);
  return [...octets.slice(0, 3), (octets[3] ?? 0) - 1].join(".");
}

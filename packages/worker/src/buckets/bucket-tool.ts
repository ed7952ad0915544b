/**
 * Runs rclone, which stays beside the worker and outlives it. It has a group of its own, by which the firewall holds it to
 * what containers reach (network/firewall-rules.ts), but for stores that the operator has named.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { open, rm } from "node:fs/promises";
import { promisify } from "node:util";

import { type Clock, PlatformError, textOf } from "@lydian/kit";

import { outsideGroup } from "../network/address-plan.ts";
import { type BucketMount, listWords, mountWords, type MountPlace, toolEnvironment } from "./tool-words.ts";

const run = promisify(execFile);

/** For what it has in memory; it is ended when it wants more, and then mounts anew. */
const mostBytes = 2 * 2 ** 30;
/** Ended before anything of the host's own when memory is short. */
const oomScore = "500";
/** What it takes to mount, and what a bucket may take to be listed before that is nobody's concern. */
const mountMs = 30_000;
const listMs = 10_000;

/** Those of the host, for a store that is reached through a proxy or has a certificate of one's own. */
const inherited = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"];

export interface BucketToolOptions {
  readonly program: string;
  /** Origins. */
  readonly stores: readonly string[];
  readonly clock: Clock;
}

export class BucketTool {
  readonly program: string;
  readonly #stores: ReadonlySet<string>;
  readonly #clock: Clock;

  constructor({ program, stores, clock }: BucketToolOptions) {
    this.program = program;
    this.#stores = new Set(stores);
    this.#clock = clock;
  }

  /**
   * Resolves when it is mounted; rejects with a PlatformError for people. `alive` is a FIFO that is held open for as long as
   * it runs.
   */
  async mount(mount: BucketMount, place: MountPlace, alive: string): Promise<void> {
    await rm(place.logFile, { force: true });
    await using fifo = await open(alive, "r+");
    const words = [`--data=${mostBytes}`, "choom", "-n", oomScore, "--", this.program, ...mountWords(mount, place)];
    const child = spawn("prlimit", words, {
      ...this.#settings(mount),
      cwd: "/",
      stdio: ["ignore", "ignore", "ignore", fifo.fd],
      detached: true,
    });
    const [code] = await this.#within(mountMs, child, once(child, "exit") as Promise<[number | null]>);
    if (code === 0) return;
    throw refusal(mount, `it could not be mounted: ${lastLine((await textOf(place.logFile)) ?? "")}`);
  }

  /** Rejects with what the store says; resolves as well when it says nothing for long. */
  async check(mount: BucketMount): Promise<void> {
    const settings = { ...this.#settings(mount), timeout: listMs, killSignal: "SIGKILL", maxBuffer: 2 ** 30 } as const;
    try {
      await run(this.program, listWords(mount), settings);
    } catch (error) {
      const { killed, stderr = "" } = error as { killed?: boolean; stderr?: string };
      if (killed === true) return;
      throw refusal(mount, lastLine(stderr));
    }
  }

  #settings(mount: BucketMount): { env: Record<string, string>; gid?: number } {
    const kept = inherited.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    });
    const env = {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/nonexistent",
      ...(Object.fromEntries(kept) as Record<string, string>),
      ...toolEnvironment(mount),
    };
    return this.#stores.has(mount.endpoint) ? { env } : { env, gid: outsideGroup };
  }

  async #within<T>(ms: number, child: { kill(signal: "SIGKILL"): boolean }, done: Promise<T>): Promise<T> {
    using _patience = this.#clock.timer(ms, () => child.kill("SIGKILL"));
    return await done;
  }
}

function refusal({ bucket }: BucketMount, what: string): PlatformError {
  return new PlatformError(`bucket "${bucket}": ${what}`, {
    hint:
      "look at its name, its endpoint, and the key in its secret; a store on the worker's own machine has to be named by its " +
      "operator (lydian up --bucket-store)",
  });
}

/** Without the time, and without what rclone says of itself. */
function lastLine(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^\s+status code/.test(line));
  const last = lines.at(-1) ?? "rclone says nothing";
  return last.replace(/^\d{4}\/\d\d\/\d\d [\d:]+ /, "").replace(/^Failed to \w+ with \d+ errors: last error was: /, "");
}

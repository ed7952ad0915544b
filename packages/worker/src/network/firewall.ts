/**
 * Loads the platform's nftables table, and again whenever somebody takes it away or changes it: a restart of the nftables
 * service, for one, flushes the tables of all.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { type Clock, hasCode, type Logger, messageOf, PlatformError, sleep } from "@lydian/kit";

import { changeRestriction, firewallRules, type Restriction, type Restrictions, tableName } from "./firewall-rules.ts";
import { HostToolError, hostEnv, missing, runTool } from "./host-tool.ts";

/** Between two attempts after a failure. */
const retryMs = 1000;
/** What a monitor gets to show that it hears. */
const monitorMs = 5000;

export interface FirewallOptions {
  readonly instance: string;
  /** Name servers that containers may ask wherever they are: IPv4 addresses. */
  readonly resolvers: readonly string[];
  /** Of containers that a worker before had. */
  readonly restrictions: Restrictions;
  readonly logger: Logger;
  readonly clock: Clock;
}

export class Firewall {
  readonly #instance: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #resolvers: readonly string[];
  readonly #restrictions: Map<string, Restriction>;
  readonly #closing = new AbortController();
  /** The table as nft prints it when nobody has touched it. */
  #expected = "";
  #monitor: ChildProcess | undefined;
  #watching: Promise<void> | undefined;
  #checking: Promise<void> | undefined;
  #checkAgain = false;

  private constructor(options: FirewallOptions) {
    this.#instance = options.instance;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#resolvers = options.resolvers;
    this.#restrictions = new Map(options.restrictions);
  }

  /** Resolves when the table is loaded; from then on it is watched. */
  static async open(options: FirewallOptions): Promise<Firewall> {
    const firewall = new Firewall(options);
    await firewall.#load();
    firewall.#expected = await firewall.#listing();
    if (firewall.#expected === "") throw new PlatformError("nftables took the rules and did not keep them");
    firewall.#watching = firewall.#watch();
    return firewall;
  }

  async close(options: { remove: boolean }): Promise<void> {
    this.#closing.abort();
    this.#monitor?.kill("SIGKILL");
    await this.#watching;
    await this.#checking;
    if (options.remove && (await this.#listing()) !== "") {
      await runTool("nft", ["delete", "table", "inet", tableName(this.#instance)]);
    }
  }

  /** From here on what comes in by this link reaches only what is allowed. */
  async restrict(link: string, restriction: Restriction): Promise<void> {
    this.#restrictions.set(link, restriction); // first: a table that is loaded anew meanwhile has it
    await runTool("nft", ["-f", "-"], changeRestriction("add", this.#instance, link, restriction));
  }

  /** The link is gone. */
  async release(link: string): Promise<void> {
    const restriction = this.#restrictions.get(link);
    if (restriction === undefined) return;
    this.#restrictions.delete(link);
    await this.#load(); // and not element by element: one that a table loaded meanwhile lacks would be an error
  }

  async #load(): Promise<void> {
    await runTool("nft", ["-f", "-"], firewallRules(this.#instance, this.#resolvers, this.#restrictions));
  }

  /** Without the elements of its named sets; empty when there is no such table. */
  async #listing(): Promise<string> {
    try {
      return await runTool("nft", ["--terse", "list", "table", "inet", tableName(this.#instance)]);
    } catch (error) {
      if (error instanceof HostToolError && error.said.includes("No such file or directory")) return "";
      throw error;
    }
  }

  /** Keeps a monitor running until it closes. */
  async #watch(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const ended = Promise.withResolvers<never>();
      ended.promise.catch(() => {}); // looked at below, perhaps after it has failed
      const heard = Promise.withResolvers<"heard">();
      const monitor = this.#spawnMonitor(() => heard.resolve("heard"), ended.reject);
      try {
        const told = Promise.race([heard.promise, ended.promise]);
        told.catch(() => {}); // nobody may be looking any more when it fails
        await this.#untilHeard(told);
        await ended.promise;
      } catch (error) {
        await this.#pause("the firewall is not watched; it soon is again", error);
      } finally {
        monitor.kill("SIGKILL");
      }
    }
  }

  /** A monitor does not say when it begins to listen, so the same rules are loaded until it reports that. */
  async #untilHeard(heard: Promise<"heard">): Promise<void> {
    const deadline = this.#clock.now() + monitorMs;
    for (let told: "heard" | undefined; told === undefined;) {
      if (this.#clock.now() >= deadline) throw new PlatformError("`nft monitor` does not report changes");
      await this.#load();
      const pause = sleep(this.#clock, 50, this.#closing.signal).then(() => undefined);
      pause.catch(() => {}); // nor here
      told = await Promise.race([heard, pause]);
    }
  }

  #spawnMonitor(onChange: () => void, onEnd: (error: unknown) => void): ChildProcess {
    // A worker that dies takes the monitor with it, which would otherwise stay until it next has something to say.
    const monitor = spawn("setpriv", ["--pdeathsig", "KILL", "nft", "monitor"], {
      env: hostEnv,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#monitor = monitor;
    const name = tableName(this.#instance);
    createInterface({ input: monitor.stdout }).on("line", (line) => {
      if (!line.includes(name)) return;
      onChange();
      this.#check();
    });
    // What it says here is that it has lost events.
    createInterface({ input: monitor.stderr }).on("line", () => this.#check());
    monitor.once("error", (error) => onEnd(hasCode(error, "ENOENT") ? missing("setpriv") : error));
    monitor.once("close", () => onEnd(new PlatformError("`nft monitor` has ended")));
    return monitor;
  }

  /** Looks whether the table is as it should be, as often as something happened to it. */
  #check(): void {
    this.#checkAgain = true;
    this.#checking ??= this.#checkUntilSound().finally(() => (this.#checking = undefined));
  }

  async #checkUntilSound(): Promise<void> {
    while (this.#checkAgain && !this.#closing.signal.aborted) {
      this.#checkAgain = false;
      try {
        if ((await this.#listing()) === this.#expected) continue;
        await this.#load(); // which is an event, and so is looked at in its turn
        this.#logger.warn("the firewall's rules had been changed by somebody else; they are loaded again");
      } catch (error) {
        this.#checkAgain = true;
        await this.#pause("the firewall's rules cannot be loaded: containers may reach the host", error);
      }
    }
  }

  async #pause(what: string, error: unknown): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#logger.error({ error: messageOf(error) }, what);
    await sleep(this.#clock, retryMs, this.#closing.signal).catch(() => {}); // ends early when it closes
  }
}

/**
 * The pool of network slots. A slot serves one container and is then removed: no connection, socket or setting of a
 * container can meet the next one, and a new slot is made in the background before it is asked for.
 *
 * On the host a slot is a link `ly<instance>-<index>`, two pins in the pool's folder, and a record there once it is
 * taken. A pool that comes after kill -9 keeps what was taken until its containers are known, and removes the rest.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";

import { type Clock, type Logger, messageOf, PlatformError } from "@lydian/kit";

import { currentBoot } from "../boot.ts";
import { linkName, linkPrefix } from "./address-plan.ts";
import type { Restriction } from "./firewall-rules.ts";
import { Firewall } from "./firewall.ts";
import { turnOffForwarding, turnOnForwarding } from "./forwarding.ts";
import type { NameForwarder } from "./name-forwarder.ts";
import { NameService } from "./name-service.ts";
import { Namespaces } from "./namespaces.ts";
import type { NetworkSlot } from "./network-slot.ts";
import { SlotIndexes } from "./slot-indexes.ts";
import { type MadeSlot, SlotMaker } from "./slot-maker.ts";
import { type SlotRecord, SlotRecords } from "./slot-records.ts";
import { Stock } from "./stock.ts";

export type { NetworkSlot } from "./network-slot.ts";

export interface NetworkPoolOptions {
  /** Short id of the platform, in all names on the host: 1 to 8 of a-z0-9. */
  readonly instance: string;
  /** The pool's own folder, best below /run: nothing in it outlives the host's run. */
  readonly folder: string;
  /** How many slots wait ready. */
  readonly size: number;
  /** Slots are pairs of a user and a network namespace; without it, network namespaces only. */
  readonly userns: boolean;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Instead of the host's lists of name servers, for tests. */
  readonly resolverFiles?: readonly string[];
}

/** In the pool's folder: where namespaces are pinned. */
const pinsName = "ns";
/** As many are made at once: more would only wait for the kernel's one lock of the network's configuration. */
const makersAtOnce = 3;

/** A slot and what this worker holds of it. */
interface Pooled {
  readonly slot: MadeSlot;
  containerId?: string;
  /** Taken by a worker before, and not yet asked for. */
  isInherited?: boolean;
  forwarder?: NameForwarder | undefined;
  restriction?: Restriction | undefined;
  readonly listeners: Set<net.Server>;
  readonly sockets: Set<net.Socket>;
  /** Since it is given back. */
  going?: Promise<void>;
}

interface Parts {
  readonly namespaces: Namespaces;
  readonly firewall: Firewall;
  readonly names: NameService;
  readonly indexes: SlotIndexes;
  readonly records: SlotRecords;
  readonly maker: SlotMaker;
}

export class NetworkPool {
  readonly #options: NetworkPoolOptions;
  readonly #parts: Parts;
  readonly #stock: Stock<Pooled>;
  readonly #taken: Map<number, Pooled>;
  #closed: Promise<void> | undefined;

  private constructor(options: NetworkPoolOptions, parts: Parts, taken: Map<number, Pooled>) {
    this.#options = options;
    this.#parts = parts;
    this.#taken = taken;
    this.#stock = new Stock({
      size: options.size,
      atOnce: makersAtOnce,
      make: () => makeOne(parts, options.userns),
      onFailure: (error) =>
        options.logger.error({ error: messageOf(error) }, "a network for a container cannot be made"),
      closedError,
      clock: options.clock,
    });
  }

  /** Resolves when the rules are in force and what a worker before took is known; slots are made afterwards. */
  static async open(options: NetworkPoolOptions): Promise<NetworkPool> {
    const { instance, folder } = options;
    if (!/^[a-z0-9]{1,8}$/.test(instance)) throw new Error(`${instance} is no short id of a platform`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await using undo = new AsyncDisposableStack();
    const records = new SlotRecords(join(folder, "slots"));
    const inherited = await records.list();
    const parts = await openParts(options, records, inherited, undo);
    const taken = await takeOver(parts, inherited, options);
    const pool = new NetworkPool(options, parts, taken);
    undo.move(); // all is the pool's from here on
    return pool;
  }

  /** A slot for this container alone; restricted, it reaches only what is allowed, and no names where that is nothing. */
  async take(
    containerId: string,
    { signal, restriction }: { signal?: AbortSignal; restriction?: Restriction | undefined } = {},
  ): Promise<NetworkSlot> {
    const { records, firewall } = this.#parts;
    const pooled = await this.#stock.take(signal);
    pooled.containerId = containerId;
    this.#taken.set(pooled.slot.index, pooled);
    try {
      const { index, placed, userns, link } = pooled.slot;
      await records.write({
        index,
        network: placed.block.network,
        userns: userns !== undefined,
        containerId,
        restriction,
        boot: currentBoot,
      });
      if (restriction !== undefined) {
        pooled.restriction = restriction;
        await firewall.restrict(link, restriction);
        if (hasNoNames(pooled)) await pooled.forwarder?.close(); // names would tell of the outside
      }
      signal?.throwIfAborted();
      return pooled.slot;
    } catch (error) {
      await this.give(pooled.slot);
      throw error;
    }
  }

  /** The slot that a worker before took for this container. */
  async adopt(containerId: string, index: number): Promise<NetworkSlot> {
    const pooled = this.#taken.get(index);
    if (pooled?.containerId !== containerId) {
      throw new PlatformError(`the network slot ${index} is not that of the container ${containerId}`);
    }
    pooled.isInherited = false;
    return pooled.slot;
  }

  /** Removes the slots that a worker before took for containers that are not among `known`. */
  async clearOthers(known: ReadonlySet<string>): Promise<void> {
    const others = [...this.#taken.values()].filter(
      ({ isInherited, containerId = "" }) => isInherited === true && !known.has(containerId),
    );
    await Promise.all(others.map(({ slot }) => this.give(slot)));
  }

  /**
   * Removes the slot of a container that is gone: listeners in it, their connections, its link, its namespaces. It ends no
   * process. Twice does no harm; after a failure it can be tried again.
   */
  async give({ index }: Pick<NetworkSlot, "index">): Promise<void> {
    const pooled = this.#taken.get(index);
    if (pooled === undefined) return;
    pooled.going ??= this.#remove(pooled).finally(() => delete pooled.going);
    await pooled.going;
  }

  /**
   * Makes `server` listen on 127.0.0.1:`port` inside the slot. Connections are accepted by this process, on the host's
   * side; nothing outside the slot reaches it.
   */
  async listen(
    slot: Pick<NetworkSlot, "index">,
    port: number,
    server: net.Server = net.createServer({ allowHalfOpen: true }),
  ): Promise<net.Server> {
    const pooled = this.#taken.get(slot.index);
    if (pooled === undefined) throw new Error(`the network slot ${slot.index} is not taken`);
    const bind = { address: "127.0.0.1", port };
    const fd = await this.#parts.namespaces.run("socket", pooled.slot.netns, { kind: "tcp", bind });
    server.on("connection", (socket) => {
      pooled.sockets.add(socket);
      socket.once("close", () => pooled.sockets.delete(socket));
    });
    server.once("close", () => pooled.listeners.delete(server));
    pooled.listeners.add(server);
    server.listen({ fd });
    await once(server, "listening");
    return server;
  }

  /** With `remove` nothing of the pool is left on the host; without, a worker to come can adopt what is taken. */
  close(options: { remove: boolean }): Promise<void> {
    return (this.#closed ??= this.#close(options.remove));
  }

  async #close(remove: boolean): Promise<void> {
    const { namespaces, firewall, indexes, maker } = this.#parts;
    const { folder, logger, clock } = this.#options;
    await using last = new AsyncDisposableStack();
    last.defer(() => indexes.close());
    last.defer(() => namespaces.close());
    const all = [...(await this.#stock.close()), ...this.#taken.values()];
    await Promise.all(all.map((pooled) => closeSockets(pooled)));
    await Promise.allSettled(all.map((pooled) => pooled.going ?? Promise.resolve()));
    if (remove) {
      // All pins first: the kernel then takes the namespaces down together, which costs little more than one alone.
      await namespaces.run("removePins", join(folder, pinsName));
      for (const { slot } of all) await maker.remove(slot);
    }
    await firewall.close({ remove });
    if (!remove) return;
    await turnOffForwarding(logger, clock);
    await rm(folder, { recursive: true, force: true });
  }

  async #remove(pooled: Pooled): Promise<void> {
    const { maker, records, indexes, firewall } = this.#parts;
    const { slot } = pooled;
    await closeSockets(pooled);
    await maker.remove(slot);
    if (pooled.restriction !== undefined) await firewall.release(slot.link);
    await records.remove(slot.index);
    this.#taken.delete(slot.index);
    indexes.release(slot.placed);
  }
}

/** What is opened is closed by `undo`, and is taken away where no container can need it. */
async function openParts(
  options: NetworkPoolOptions,
  records: SlotRecords,
  inherited: readonly SlotRecord[],
  undo: AsyncDisposableStack,
): Promise<Parts> {
  const { instance, folder, logger, clock, resolverFiles: hostFiles } = options;
  const isUnused = inherited.length === 0;
  const pinsFolder = join(folder, pinsName);
  const resolvConf = join(folder, "resolv.conf");
  const indexes = undo.adopt(new SlotIndexes(instance, clock), (indexes) => indexes.close());
  const namespaces = undo.adopt(new Namespaces(), (namespaces) => namespaces.close());
  undo.defer(async () => {
    if (isUnused) await namespaces.run("removePins", pinsFolder);
  });
  const prepared = namespaces.run("preparePins", pinsFolder);
  prepared.catch(() => {}); // awaited below
  const names = await NameService.open({ file: resolvConf, namespaces, logger, clock, hostFiles });
  const firewall = undo.adopt(
    await Firewall.open({
      instance,
      resolvers: names.resolvers,
      restrictions: restrictionsOf(instance, inherited),
      logger,
      clock,
    }),
    (firewall) => firewall.close({ remove: isUnused }),
  );
  await turnOnForwarding(logger, clock);
  await prepared;
  const maker = new SlotMaker({ instance, pinsFolder, resolvConf, namespaces });
  return { namespaces, firewall, names, indexes, records, maker };
}

function restrictionsOf(instance: string, inherited: readonly SlotRecord[]): Map<string, Restriction> {
  const restricted = inherited.flatMap(({ index, restriction }) => {
    return restriction === undefined ? [] : [[linkName(instance, index), restriction] as const];
  });
  return new Map(restricted);
}

/** Knows again what a worker before took; removes what it was only making or had waiting. */
async function takeOver(
  { namespaces, names, indexes, maker }: Parts,
  inherited: readonly SlotRecord[],
  { instance, folder, logger }: NetworkPoolOptions,
): Promise<Map<number, Pooled>> {
  const taken = new Map<number, Pooled>();
  for (const { index, network, userns, containerId, restriction } of inherited) {
    const slot = maker.describe(await indexes.keep(index, network), userns);
    taken.set(index, { ...unused(slot), containerId, restriction, isInherited: true });
  }
  const kept = [...taken.values()].map(({ slot }) => slot);
  if (kept.length > 0) await names.keep();
  // At once, for containers have gone on meanwhile: whoever asks for a name now is refused.
  await Promise.all(taken.values().map((pooled) => serveAgain(pooled, names, logger)));
  const pins = new Set(kept.flatMap(({ pins }) => [pins.user, pins.net]));
  const pinsFolder = join(folder, pinsName);
  const found = (await readdir(pinsFolder)).map((name) => join(pinsFolder, name));
  await namespaces.run(
    "unpin",
    found.filter((path) => !pins.has(path)),
  );
  const links = new Set(kept.map(({ link }) => link));
  for (const link of await readdir("/sys/class/net")) {
    if (link.startsWith(linkPrefix(instance)) && !links.has(link)) await namespaces.run("deleteLink", link);
  }
  return taken;
}

/** Where nothing outside may be reached, not even by a question about a name. */
function hasNoNames({ restriction }: Pooled): boolean {
  return restriction?.allowedCidrs.length === 0;
}

async function serveAgain(pooled: Pooled, names: NameService, logger: Logger): Promise<void> {
  if (hasNoNames(pooled)) return;
  try {
    pooled.forwarder = await names.serve(pooled.slot.netns);
  } catch (error) {
    logger.warn({ err: error, container: pooled.containerId }, "names are not resolved in a container's network");
  }
}

async function makeOne({ indexes, maker, names }: Parts, userns: boolean): Promise<Pooled> {
  const placed = await indexes.take();
  try {
    const slot = await maker.make(placed, userns);
    try {
      return { ...unused(slot), forwarder: await names.serve(slot.netns) };
    } catch (error) {
      await maker.remove(slot);
      throw error;
    }
  } catch (error) {
    indexes.release(placed);
    throw error;
  }
}

function unused(slot: MadeSlot): Pooled {
  return { slot, listeners: new Set(), sockets: new Set() };
}

async function closeSockets({ listeners, sockets, forwarder }: Pooled): Promise<void> {
  for (const socket of sockets) socket.destroy();
  const closed = [...listeners].map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  await Promise.all([...closed, forwarder?.close()]);
}

function closedError(): PlatformError {
  return new PlatformError("the network pool is closed");
}

/**
 * What a slot's index means on the host: its addresses and its user ids. Indexes are unique on a host: they come in
 * blocks of 64, and a platform claims the blocks whose indexes it uses.
 *
 * Addresses are from the range for benchmarks (RFC 2544), which no network uses, or where the host has a route into it
 * all the same, from a private one. User ids are from the one large range that systemd's table of ids leaves free,
 * 1879048192 to 2147352575, so that they meet neither users' subordinate ids nor systemd's own containers.
 */

export const slotsPerBlock = 64;
export const blockCount = 63;
/** Ids that a user namespace maps. */
export const idsPerSlot = 65536;

const firstId = 1879048192;
/** In that range and no slot's: the group of what goes out for containers from the host's own network. */
export const outsideGroup = 2147352000;
/** The first two octets of the addresses, by preference. */
const networks = ["198.18", "10.218"] as const;

export type NetworkPrefix = (typeof networks)[number];

export interface Block {
  readonly number: number;
  readonly network: NetworkPrefix;
}

export interface SlotAddresses {
  /** Of the host's end of the link. */
  readonly host: string;
  /** Of eth0. */
  readonly inside: string;
  readonly prefixLength: 30;
}

export const blockOf = (index: number): number => Math.floor(index / slotsPerBlock);

export function slotAddresses(index: number, network: NetworkPrefix): SlotAddresses {
  const first = `${network}.${blockOf(index)}`;
  const last = (index % slotsPerBlock) * 4;
  return { host: `${first}.${last + 1}`, inside: `${first}.${last + 2}`, prefixLength: 30 };
}

export const firstIdOf = (index: number): number => firstId + index * idsPerSlot;

/** The host's end of the link; all links of all platforms begin with "ly". At most 15 characters. */
export const linkPrefix = (instance: string): string => `ly${instance}-`;
export const linkName = (instance: string, index: number): string => `${linkPrefix(instance)}${index}`;

/** A destination of the host's routing tables. */
export interface Route {
  /** `default`, an address, or an address with a prefix length. */
  readonly dst: string;
  readonly dev?: string | undefined;
}

/** The block's addresses that no route of the host reaches into; `ours` are the links whose routes do not count. */
export function freeNetwork(
  block: number,
  routes: readonly Route[],
  ours: (dev: string | undefined) => boolean,
): NetworkPrefix | undefined {
  return networks.find((network) => {
    const wanted = { first: addressNumber(`${network}.${block}.0`), size: slotsPerBlock * 4 };
    return !routes.some((route) => !ours(route.dev) && overlaps(wanted, destination(route.dst)));
  });
}

interface AddressRange {
  first: number;
  size: number;
}

/** Undefined for a default route, also for the halves or quarters that VPNs write instead of one. */
function destination(dst: string): AddressRange | undefined {
  const [address = "", length = "32"] = dst.split("/");
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(address) || Number(length) < 8) return undefined;
  return { first: addressNumber(address), size: 2 ** (32 - Number(length)) };
}

function overlaps(a: AddressRange, b: AddressRange | undefined): boolean {
  return b !== undefined && a.first < b.first + b.size && b.first < a.first + a.size;
}

function addressNumber(address: string): number {
  return address.split(".").reduce((number, octet) => number * 256 + Number(octet), 0);
}

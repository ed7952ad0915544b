/** The rules that hold a platform's containers off everything but the outside, as one atomic transaction of nft. */
import { isIPv4 } from "node:net";

import { PlatformError } from "@lydian/kit";

import { linkPrefix, outsideGroup } from "./address-plan.ts";

export const tableName = (instance: string): string => `lydian_${instance}`;

/** Link-local addresses, loopback, and the addresses of clouds' metadata services outside 169.254.0.0/16. */
const forbidden = ["127.0.0.0/8", "169.254.0.0/16", "100.100.100.200", "168.63.129.16", "192.0.0.192"];

/** What a container's own connections may reach, where that is not everything outside; IPv4, such as "10.1.0.0/16". */
export interface Restriction {
  readonly allowedCidrs: readonly string[];
}

/** By the host's end of a container's link. */
export type Restrictions = ReadonlyMap<string, Restriction>;

/** Elements of the table's sets; each is empty text when it would have none. */
interface Elements {
  blocked: string[];
  limited: string[];
  allowed: string[];
}

function elementsOf(restrictions: Restrictions): Elements {
  const elements: Elements = { blocked: [], limited: [], allowed: [] };
  for (const [link, { allowedCidrs }] of restrictions) {
    (allowedCidrs.length === 0 ? elements.blocked : elements.limited).push(`"${link}"`);
    for (const cidr of widest(allowedCidrs.map(checkedCidr))) elements.allowed.push(`"${link}" . ${cidr}`);
  }
  return elements;
}

/** Users write them, and they go into nft's own language. */
export function checkedCidr(text: string): string {
  const [address = "", bits = "32", ...rest] = text.split("/");
  if (isIPv4(address) && /^\d{1,2}$/.test(bits) && Number(bits) <= 32 && rest.length === 0) return `${address}/${bits}`;
  throw new PlatformError(`${text} is no IPv4 network`, { hint: "write it as in 10.1.0.0/16" });
}

/** Those that lie in no other: a set takes no overlaps. */
function widest(cidrs: readonly string[]): string[] {
  const networks = new Set(cidrs)
    .values()
    .map((cidr) => ({ cidr, bits: Number(cidr.split("/")[1]), at: numberOf(cidr) }));
  const kept: { cidr: string; bits: number; at: number }[] = [];
  for (const network of [...networks].toSorted((a, b) => a.bits - b.bits)) {
    const size = (bits: number): number => 2 ** (32 - bits);
    const isInside = kept.some(({ bits, at }) => Math.floor(at / size(bits)) === Math.floor(network.at / size(bits)));
    if (!isInside) kept.push(network);
  }
  return kept.map(({ cidr }) => cidr);
}

function numberOf(cidr: string): number {
  const [address = ""] = cidr.split("/");
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** Adds to the sets of a table that is loaded, or takes away from them, in one transaction. */
export function changeRestriction(
  change: "add" | "delete",
  instance: string,
  link: string,
  restriction: Restriction,
): string {
  const elements = elementsOf(new Map([[link, restriction]]));
  return Object.entries(elements)
    .filter(([, members]) => members.length > 0)
    .map(([set, members]) => `${change} element inet ${tableName(instance)} ${set} { ${members.join(", ")} }\n`)
    .join("");
}

/**
 * Replaces the whole table. `resolvers` are reached on port 53 wherever they are.
 *
 * Only replies are let in by the state of their connection: a connection that a container began while the table was gone
 * must not go on when it is back. What goes out for containers from the host itself (mounts of buckets) reaches what they do.
 */
export function firewallRules(
  instance: string,
  resolvers: readonly string[],
  restrictions: Restrictions = new Map(),
): string {
  const { blocked, limited, allowed } = elementsOf(restrictions);
  const members = (elements: readonly string[]): string =>
    elements.length === 0 ? "" : `elements = { ${elements.join(", ")} };`;
  const table = `inet ${tableName(instance)}`;
  const ours = `"${linkPrefix(instance)}*"`;
  const anyPlatform = `"ly*"`;
  const dns =
    resolvers.length === 0
      ? ""
      : `iifname ${ours} ip daddr { ${resolvers.join(", ")} } meta l4proto { tcp, udp } th dport 53 accept`;
  return `
table ${table}
delete table ${table}
table ${table} {
  set blocked { type ifname; ${members(blocked)} }
  set limited { type ifname; ${members(limited)} }
  set allowed { type ifname . ipv4_addr; flags interval; ${members(allowed)} }
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname ${ours} fib saddr . iif oif missing drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname ${ours} ct state established ct direction reply accept
    iifname ${ours} meta l4proto icmp ct state related accept
    iifname ${ours} drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname @blocked drop
    iifname ${ours} oifname ${anyPlatform} drop
    iifname ${ours} meta nfproto ipv6 drop
    oifname ${ours} ct state established ct direction reply accept
    oifname ${ours} meta l4proto icmp ct state related accept
    oifname ${ours} drop
    iifname ${ours} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    ${dns}
    iifname @limited iifname . ip daddr != @allowed drop
    iifname ${ours} ip daddr { ${forbidden.join(", ")} } drop
  }
  chain outside {
    ip daddr 127.0.0.0/8 meta l4proto { tcp, udp } th dport 53 accept
    fib daddr type local drop
    oifname ${anyPlatform} drop
    ip daddr { ${forbidden.join(", ")} } drop
    ip6 daddr { fe80::/10, fd00:ec2::254 } drop
  }
  chain output {
    type filter hook output priority filter; policy accept;
    meta skgid ${outsideGroup} jump outside
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname ${ours} oifname != ${anyPlatform} masquerade
  }
}
`;
}

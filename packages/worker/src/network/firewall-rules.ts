/** The rules that hold a platform's containers off everything but the outside, as one atomic transaction of nft. */
import { linkPrefix } from "./address-plan.ts";

export const tableName = (instance: string): string => `lydian_${instance}`;

/** Link-local addresses, loopback, and the addresses of clouds' metadata services outside 169.254.0.0/16. */
const forbidden = ["127.0.0.0/8", "169.254.0.0/16", "100.100.100.200", "168.63.129.16", "192.0.0.192"];

/**
 * Replaces the whole table. `resolvers` are reached on port 53 wherever they are.
 *
 * Only replies are let in by the state of their connection: a connection that a container began while the table was gone
 * must not go on when it is back.
 */
export function firewallRules(instance: string, resolvers: readonly string[]): string {
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
  set nonet { type ifname; }
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
    iifname @nonet drop
    iifname ${ours} oifname ${anyPlatform} drop
    iifname ${ours} meta nfproto ipv6 drop
    oifname ${ours} ct state established ct direction reply accept
    oifname ${ours} meta l4proto icmp ct state related accept
    oifname ${ours} drop
    iifname ${ours} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    ${dns}
    iifname ${ours} ip daddr { ${forbidden.join(", ")} } drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname ${ours} oifname != ${anyPlatform} masquerade
  }
}
`;
}

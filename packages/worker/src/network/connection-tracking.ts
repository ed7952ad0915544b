/** Makes the kernel forget the connections of an address, so that the next container there gets no packet of theirs. */
import { NamespaceCallError } from "./namespace-calls.ts";
import { ask, attribute, fields, nested, octets } from "./netlink.ts";

const netfilter = 12; // NETLINK_NETFILTER
const deleteEntries = (1 << 8) | 2; // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
const internet = 2; // AF_INET
const of = { tupleOriginal: 1, tupleIp: 1, filter: 25, filterOriginalFlags: 1 } as const; // CTA_…
/** The two ends of a connection as it began: the attribute that holds the address, and the filter's flag for it. */
const ends = [
  { address: 1, filterFlag: 1 << 0 }, // CTA_IP_V4_SRC, CTA_FILTER_F_CTA_IP_SRC
  { address: 2, filterFlag: 1 << 1 }, // CTA_IP_V4_DST, CTA_FILTER_F_CTA_IP_DST
] as const;

/** Answers false where the kernel has no way to do it (no connection tracking, or no filter: before 5.8). */
export function forgetConnections(address: string): boolean {
  for (const end of ends) {
    const body = [
      fields([1, internet], [1, 0], [2, 0]), // struct nfgenmsg
      attribute(of.tupleOriginal | nested, attribute(of.tupleIp | nested, attribute(end.address, octets(address)))),
      attribute(of.filter | nested, attribute(of.filterOriginalFlags, fields([4, end.filterFlag]))),
    ];
    const request = { protocol: netfilter, kind: deleteEntries, body };
    try {
      const answer = ask(`forget the connections of ${address}`, request, "ENOENT", "EINVAL", "EOPNOTSUPP");
      if (answer === "EINVAL" || answer === "EOPNOTSUPP") return false;
    } catch (error) {
      if (error instanceof NamespaceCallError && error.code === "EPROTONOSUPPORT") return false;
      throw error;
    }
  }
  return true;
}

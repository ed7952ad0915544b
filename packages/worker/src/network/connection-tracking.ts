/** Makes the kernel forget the connections of an address, so that the next container there gets no packet of theirs. */
import { askNetlink, errorName, NamespaceCallError } from "./namespace-calls.ts";

const netfilter = 12; // NETLINK_NETFILTER
const deleteEntries = (1 << 8) | 2; // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
const requestAndAcknowledge = 1 | 4; // NLM_F_REQUEST | NLM_F_ACK
const nested = 0x8000; // NLA_F_NESTED
const attribute = { tupleOriginal: 1, tupleIp: 1, filter: 25, filterOriginalFlags: 1 } as const; // CTA_…
/** The two ends of a connection as it began: the attribute that holds the address, and the filter's flag for it. */
const ends = [
  { address: 1, filterFlag: 1 << 0 }, // CTA_IP_V4_SRC, CTA_FILTER_F_CTA_IP_SRC
  { address: 2, filterFlag: 1 << 1 }, // CTA_IP_V4_DST, CTA_FILTER_F_CTA_IP_DST
] as const;

/** Answers false where the kernel has no way to do it (no connection tracking, or no filter: before 5.8). */
export function forgetConnections(address: string): boolean {
  const octets = Uint8Array.from(address.split(".").map(Number));
  for (const end of ends) {
    const body = Buffer.concat([
      Uint8Array.of(2, 0, 0, 0), // struct nfgenmsg: AF_INET
      netlinkAttribute(
        attribute.tupleOriginal | nested,
        netlinkAttribute(attribute.tupleIp | nested, netlinkAttribute(end.address, octets)),
      ),
      netlinkAttribute(
        attribute.filter | nested,
        netlinkAttribute(attribute.filterOriginalFlags, littleEndian32(end.filterFlag)),
      ),
    ]);
    const header = Buffer.alloc(16);
    header.writeUInt32LE(header.length + body.length, 0);
    header.writeUInt16LE(deleteEntries, 4);
    header.writeUInt16LE(requestAndAcknowledge, 6);
    try {
      const name = errorName(askNetlink(netfilter, Buffer.concat([header, body])));
      if (name === "ENOENT" || name === "errno 0") continue;
      if (["EINVAL", "EOPNOTSUPP"].includes(name)) return false;
      throw new Error(`the kernel did not forget the connections of ${address}: ${name}`);
    } catch (error) {
      if (error instanceof NamespaceCallError && error.code === "EPROTONOSUPPORT") return false;
      throw error;
    }
  }
  return true;
}

function netlinkAttribute(kind: number, value: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16LE(header.length + value.byteLength, 0);
  header.writeUInt16LE(kind, 2);
  return Buffer.concat([header, value]); // all values here are multiples of four bytes
}

function littleEndian32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

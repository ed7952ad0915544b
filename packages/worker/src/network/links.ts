/** The link between the host and a network namespace: made, given its addresses, and taken away. */
import { closeSync, openSync, writeFileSync } from "node:fs";

import { indexOfLink, inNamespace } from "./namespace-calls.ts";
import { ask, attribute, fields, nested, octets, text } from "./netlink.ts";

const route = 0; // NETLINK_ROUTE
const kind = { newLink: 16, deleteLink: 17, newAddress: 20, newRoute: 24 } as const; // RTM_…
const internet = 2; // AF_INET
const up = 1; // IFF_UP
const ofLink = { name: 3, mtu: 4, info: 18, namespace: 28 } as const; // IFLA_…, the last one IFLA_NET_NS_FD
const ofInfo = { kind: 1, data: 2 } as const; // IFLA_INFO_…
const peerOfVeth = 1; // VETH_INFO_PEER
const ofAddress = { address: 1, local: 2 } as const; // IFA_…
const ofRoute = { link: 4, gateway: 5 } as const; // RTA_…
const ordinaryRoute = { table: 254, protocol: 3, scope: 0, type: 1 } as const; // RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST

export interface LinkPlan {
  /** Of the host's end; the other one is eth0. */
  readonly link: string;
  readonly netns: string;
  readonly mtu: number;
  /** The addresses of the two ends. */
  readonly host: string;
  readonly inside: string;
  readonly prefixLength: number;
}

/** Whoever is in the namespace reaches the host's end, and by it whatever the host lets through. */
export function connect({ link, netns, mtu, host, inside, prefixLength }: LinkPlan): void {
  makePair(link, netns, mtu);
  addAddress(link, host, prefixLength);
  raise(link);
  writeIfThere(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, "1");
  inNamespace(netns, () => {
    raise("lo");
    addAddress("eth0", inside, prefixLength);
    raise("eth0");
    addDefaultRoute("eth0", host);
  });
}

/** With both its ends; nothing happens when it is not there. The kernel takes 10 to 20 ms for it. */
export function deleteLink(link: string): void {
  const body = [linkHeader(), attribute(ofLink.name, text(link))];
  ask(`delete the link ${link}`, { protocol: route, kind: kind.deleteLink, body }, "ENODEV");
}

function makePair(link: string, netns: string, mtu: number): void {
  const namespace = openSync(netns, "r");
  try {
    const end = (name: string): Buffer[] => [
      attribute(ofLink.name, text(name)),
      attribute(ofLink.mtu, fields([4, mtu])),
    ];
    const peer = [linkHeader(), ...end("eth0"), attribute(ofLink.namespace, fields([4, namespace]))];
    const info = [
      attribute(ofInfo.kind, text("veth")),
      attribute(ofInfo.data | nested, attribute(peerOfVeth | nested, ...peer)),
    ];
    const body = [linkHeader(), ...end(link), attribute(ofLink.info | nested, ...info)];
    ask(`make the link ${link}`, { protocol: route, kind: kind.newLink, body, creates: true });
  } finally {
    closeSync(namespace);
  }
}

function raise(link: string): void {
  const body = [linkHeader(up), attribute(ofLink.name, text(link))];
  ask(`raise the link ${link}`, { protocol: route, kind: kind.newLink, body });
}

function addAddress(link: string, address: string, prefixLength: number): void {
  const header = fields([1, internet], [1, prefixLength], [1, 0], [1, 0], [4, indexOfLink(link)]); // struct ifaddrmsg
  const both = [ofAddress.local, ofAddress.address].map((which) => attribute(which, octets(address)));
  ask(`give ${link} ${address}`, { protocol: route, kind: kind.newAddress, body: [header, ...both], creates: true });
}

function addDefaultRoute(link: string, gateway: string): void {
  const { table, protocol, scope, type } = ordinaryRoute;
  const words = [internet, 0, 0, 0, table, protocol, scope, type] as const; // struct rtmsg, and its flags
  const body = [
    fields(...words.map((value) => [1, value] as const), [4, 0]),
    attribute(ofRoute.gateway, octets(gateway)),
    attribute(ofRoute.link, fields([4, indexOfLink(link)])),
  ];
  ask(`route by ${gateway}`, { protocol: route, kind: kind.newRoute, body, creates: true });
}

/** struct ifinfomsg; the link is named by an attribute. */
function linkHeader(flags = 0): Buffer {
  return fields([1, 0], [1, 0], [2, 0], [4, 0], [4, flags], [4, flags]);
}

/** The kernel may run without IPv6. */
export function writeIfThere(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

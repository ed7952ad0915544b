/** Types at the terminal of a container's main process: by conmon's socket, which takes packets and so is none of Node's. */
import { join } from "node:path";

import { asyncSystemCall, systemCall } from "../../layers/system-call.ts";
import type { HostPlace } from "./host-place.ts";

const socket = systemCall("socket", ["long", "long", "long"]);
const connect = systemCall("connect", ["long", "void *", "long"]);
const shutdown = systemCall("shutdown", ["long", "long"]);
const write = asyncSystemCall("write", ["long", "void *", "long"]);
const close = systemCall("close", ["long"]);

const unixSockets = 1;
const packets = 5 | 0o2000000; // SOCK_SEQPACKET | SOCK_CLOEXEC
const reading = 0;

/** conmon reads packets of up to four times as much. */
const packetBytes = 8 * 1024;

export async function typeAt(place: HostPlace, data: Uint8Array): Promise<void> {
  const path = join(place.bundle, "attach");
  const address = Buffer.concat([Buffer.alloc(2), Buffer.from(`${path}\0`)]);
  address.writeUInt16LE(unixSockets, 0);
  const fd = socket(path, unixSockets, packets, 0);
  try {
    connect(path, fd, address, address.length);
    shutdown(path, fd, reading); // what the container prints is read from its log
    for (let at = 0; at < data.length; at += packetBytes) {
      const packet = Buffer.from(data.subarray(at, at + packetBytes));
      await write(path, fd, packet, packet.length);
    }
  } finally {
    close(path, fd);
  }
}

/** Runs inside a namespace until its input ends: servers that say who came, to whoever came and on stdout. */
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import os from "node:os";

const port = Number(process.argv[2]);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const tcp = net.createServer((socket) => {
  say(`tcp ${socket.remoteAddress}`);
  socket.on("error", () => {}); // whoever came is gone
  socket.end(`you are ${socket.remoteAddress}\n`);
});
tcp.listen(port, "0.0.0.0");
// One for each address, so that an answer comes from the address that was asked.
const addresses = Object.values(os.networkInterfaces()).flatMap((list) => list ?? []);
const sockets = addresses
  .filter(({ family }) => family === "IPv4")
  .map(({ address }) => {
    const udp = dgram.createSocket("udp4", (bytes, from) => {
      say(`udp ${from.address} ${bytes.toString()}`);
      udp.send(`you are ${from.address}`, from.port, from.address);
    });
    return udp.bind(port, address);
  });
await Promise.all([tcp, ...sockets].map((server) => once(server, "listening")));
say("ready");
process.stdin.resume().on("end", () => process.exit());

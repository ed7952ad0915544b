/** Runs inside a namespace until its input ends: passes lines on to a server, and prints its answers. */
import net from "node:net";

const [address = "", port = ""] = process.argv.slice(2);
const socket = net.connect({ host: address, port: Number(port) });
socket.on("error", () => {}); // it is cut off
socket.pipe(process.stdout);
process.stdin.pipe(socket, { end: false });
process.stdin.on("end", () => process.exit());

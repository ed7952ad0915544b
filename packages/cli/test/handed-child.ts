/** A child of handover.test.ts: hands over each connection to its port, or answers those that it is handed by its own name. */
import { type AddressInfo, createServer } from "node:net";

import { handOver, onHanded } from "@lydian/kit";

const [role, name] = process.argv.slice(2);
if (role === "giver") {
  let count = 0;
  const listener = createServer({ pauseOnConnect: true }, (socket) => handOver(socket, `secret ${++count}`));
  listener.listen(0, "127.0.0.1", () => console.log((listener.address() as AddressInfo).port));
} else {
  onHanded((secret, socket) => socket.on("data", (said) => socket.end(`${name} ${secret} ${said.toString()}`)));
  console.log("ready");
}

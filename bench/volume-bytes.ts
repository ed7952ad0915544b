/** Puts and gets of one large file by the stock client, beside the same client with a server that throws bytes away. */
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { newestClient, Platform, python } from "@lydian/testkit";

import { median, ms, printTable } from "./measure.ts";

const block = Buffer.alloc(8 * 1024 * 1024, "x");
const sink = http.createServer((request, response) => {
  request.resume();
  request.on("end", () => response.end(request.method === "GET" ? block : ""));
});
sink.listen(0, "127.0.0.1");
await once(sink, "listening");

await using platform = await Platform.start({ args: ["--log-level", "warn"] });
const { port } = sink.address() as AddressInfo;
const settings = { env: { SINK: `http://127.0.0.1:${port}` } };
await using program = python(platform, newestClient, [join(import.meta.dirname, "volume_bytes.py")], settings);
await program.finishWith(0, 1_800_000);
const line = program.stdout.split("\n").find((text) => text.startsWith("{")) ?? "";
const found = JSON.parse(line) as Record<string, number[]>;
const row = (name: string): string[] => {
  const [own, floor] = [median(found[name] ?? []), median(found[`${name} floor`] ?? [])];
  return [name, ms(own), ms(floor), (floor / own).toFixed(2)];
};
printTable(`one file by client ${newestClient}, medians (aim: ratio at least 0.7)`, [
  ["", "until it returns", "bytes thrown away", "ratio of rates"],
  row("put"),
  row("get"),
]);
sink.closeAllConnections();
sink.close();

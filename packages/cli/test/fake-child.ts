/** A stand-in for server and worker: it tells what it was given and ends as its configuration or environment says. */
import { appendFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";

import { readConfiguration, tellSupervisor } from "@lydian/kit";

interface FakeConfiguration {
  /** Where it leaves its configuration, and its pid; its last part is its name. */
  data: string;
  /** Gets a line when it starts to work and when it ends. */
  diary?: string;
  listenFd?: number;
  behaviour?: string;
}

const configuration = (await readConfiguration(() => process.exit(0))) as FakeConfiguration;
const name = basename(configuration.data);
const behaviour = configuration.behaviour ?? process.env[`FAKE_${name.toUpperCase()}`] ?? "works";
const note = (what: string): void => {
  if (configuration.diary !== undefined) appendFileSync(configuration.diary, `${name} ${what}\n`);
};

if (process.argv.includes("--end")) {
  note("ends what is left");
  process.exit(behaviour === "leaves things" ? 1 : 0);
}
note("starts");
writeFileSync(join(configuration.data, "seen.json"), JSON.stringify({ pid: process.pid, configuration }));
process.on("SIGTERM", () => {
  if (behaviour === "is deaf") return;
  note("ends");
  process.exit(0);
});
if (behaviour === "fails") {
  tellSupervisor({ event: "failed", message: `the ${name} cannot find its shoes`, hint: "look under the bed" });
  process.exit(1);
}
if (behaviour === "crashes") process.exit(3);
if (configuration.listenFd === undefined) {
  setInterval(() => {}, 60_000);
  tellSupervisor({ event: "ready" });
} else {
  const listener = createServer((socket) => socket.end("hello"));
  listener.listen({ fd: configuration.listenFd }, () => tellSupervisor({ event: "ready" }));
}

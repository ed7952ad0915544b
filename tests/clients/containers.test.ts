/** Functions in containers, as the stock client sees them: alone, limited, and outliving the worker. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";

import { type Platform, modal, newestClient, platformOfFile, testEachClient, usualRuntime } from "@lydian/testkit";

import { app } from "./scratch.ts";

const skip = usualRuntime === "runc" ? false : "containers cannot run here: root, runc, conmon and nft are needed";
const platform = skip === false ? await platformOfFile({ runtime: "runc" }) : undefined;

/** The platform of this file; tests that use it are skipped where there is none. */
function there(): Platform {
  assert.ok(platform);
  return platform;
}

const story = (entry: string, ...args: string[]) =>
  modal(there(), newestClient, ["run", "-q", app(`contained.py::${entry}`), ...args]);

test("a function sees nobody but itself, and nothing of what another app has left", { skip }, async () => {
  for (const round of ["first", "second"]) {
    await using run = story("around");
    const output = await run.finishWith(0);
    assert.match(output, /'processes': 2,/, round);
    assert.match(output, /'seen': False/, round);
    const [, task = "", host = ""] = /'task': 'ta-(\w+)'.*'host': '(\w+)'/.exec(output) ?? [];
    assert.ok(task.toLowerCase().endsWith(host), `${host} is the container's own name`);
  }
});

test("it reaches neither the platform, nor the host, nor clouds' metadata", { skip }, async () => {
  await using host = createServer((socket) => socket.destroy()).listen(0, "0.0.0.0");
  await once(host, "listening");
  const { port } = host.address() as { port: number };
  const own = Object.entries(networkInterfaces())
    .filter(([link]) => !link.startsWith("ly")) // links of containers, which come and go
    .flatMap(([, addresses]) => addresses ?? []);
  const addresses = own.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address);
  assert.ok(addresses.length > 0, "the host has an address");
  const platformPort = new URL(there().url).port;
  const targets = [
    ...addresses.map((address) => `${address}:${port}`),
    `127.0.0.1:${port}`,
    `127.0.0.1:${platformPort}`,
    "169.254.169.254:80",
  ];
  await using run = story("reach", "--targets", targets.join(","));
  const output = await run.finishWith(0);
  for (const target of targets) assert.match(output, new RegExp(`^${target} closed`, "m"));
});

test("one that eats all its memory ends with an error that names the limit", { skip }, async () => {
  await using run = story("memory");
  await run.finishWith(1);
  assert.match(run.stderr.replaceAll(/\s+/g, " "), /ran out of memory .*192 MiB/);
});

testEachClient("the worker is killed while a function runs: the container goes on, and answers", async (version) => {
  if (skip !== false) return;
  await using run = modal(there(), version, ["run", app("contained.py::wait")]);
  await run.sees(/it runs in ta-\w+/);
  const worker = await there().kill("worker");
  await there().replaced("worker", worker);
  const output = await run.finishWith(0);
  const [, began] = /it runs in (ta-\w+)/.exec(output) ?? [];
  assert.match(output, new RegExp(`^answer from ${began}$`, "m"));
  assert.equal(output.match(/it runs in/g)?.length, 1, "it ran once");
});

test("worker and server are killed at once", { skip }, async () => {
  await using run = modal(there(), newestClient, ["run", app("contained.py::wait")]); // -q would hide its output
  await run.sees(/it runs in ta-\w+/);
  await Promise.all([there().kill("server"), there().kill("worker")]);
  assert.match(await run.finishWith(0), /^answer from ta-/m);
});

test("two platforms on one host do not meet, and each leaves nothing", { skip }, async () => {
  const { Platform } = await import("@lydian/testkit");
  await using other = await Platform.start({ runtime: "runc" });
  const [mine, others] = [there(), other].map((on) =>
    modal(on, newestClient, ["run", "-q", app("contained.py::wait"), "--seconds", "2"]),
  );
  assert.ok(mine && others);
  await Promise.all([mine.finishWith(0), others.finishWith(0)]);
  await other.stop();
  await using run = story("around");
  await run.finishWith(0);
});

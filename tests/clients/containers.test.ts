/** Functions in containers, as the stock client sees them: alone, limited, and out of reach. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";

import { type Platform, type Program, modal, newestClient, platformOfFile, usualRuntime } from "@lydian/testkit";
import { probeHost } from "@lydian/worker";

import { app, functionIn, goOn } from "./stories.ts";

const skip = usualRuntime === "runc" ? false : "containers cannot run here: root, runc, conmon and nft are needed";
const platform = skip === false ? await platformOfFile() : undefined;

/** The platform of this file; tests that use it are skipped where there is none. */
function there(): Platform {
  assert.ok(platform);
  return platform;
}

const story = (entry: string, ...args: string[]): Program =>
  modal(there(), newestClient, ["run", app(`contained.py::${entry}`), ...args]);

/** The line of JSON that the app's entrypoint prints. */
async function answerOf<T>(run: Program): Promise<T> {
  const line = (await run.finishWith(0)).split("\n").find((text) => /^[[{]/.test(text));
  return JSON.parse(line ?? assert.fail(run.describe("has printed no answer"))) as T;
}

interface Surroundings {
  task: string;
  pid: number;
  processes: number[];
  host: string;
  user: number;
  users: [inside: number, outside: number, count: number];
  mounts: string[];
  interfaces: string[];
  sees: boolean;
}

/** Where a container has something of its own, or is shown something. */
const places =
  /^(?:\/|\/(?:proc|dev|sys)(?:\/.*)?|\/run\/lydian\/(?:init|door|files)|\/etc\/(?:resolv\.conf|hosts|hostname|ssl\/certs\/ca-certificates\.crt)|\/pkg|\/__modal\/deps|\/root\/\w+\.py)$/;

test(
  "a function sees its own processes, name, users, mounts and network, and nothing of the host",
  { skip },
  async () => {
    await using run = story("around", "--path", there().data);
    const seen = await answerOf<Surroundings>(run);
    assert.ok(seen.pid < 10 && seen.processes.length < 10, `${seen.pid} of ${seen.processes.join(" ")}`);
    assert.ok(seen.processes.every((pid) => pid < 100));
    assert.ok(seen.task.toLowerCase().endsWith(seen.host), `${seen.host} is the container's own name`);
    assert.equal(seen.user, 0);
    const { userNamespaces, idMaps } = await probeHost({ data: there().data });
    assert.equal(seen.users[1] > 0, userNamespaces && idMaps, "its root is nobody on the host");
    assert.deepEqual(
      seen.mounts.filter((path) => !places.test(path)),
      [],
    );
    assert.deepEqual(seen.interfaces, ["eth0", "lo"]);
    assert.equal(seen.sees, false, "the host's files are not there");
  },
);

test("what a container writes is in no other, of the same function or of the next app", { skip }, async () => {
  for (let round = 0; round < 2; round++) {
    await using run = story("apart");
    await run.sees(/it runs in ta-\w+[^]*it runs in ta-\w+/);
    const both = there().functions();
    assert.equal(both.length, 2);
    for (const each of both) await goOn(each);
    assert.deepEqual(await answerOf(run), [[], []]);
  }
});

async function listen(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => socket.destroy()).listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return Object.assign(server, { port });
}

/** But for the ends of containers' own links, which are there for one container each. */
function hostAddresses(): string[] {
  const links = Object.entries(networkInterfaces()).filter(([name]) => !name.startsWith("ly"));
  const addresses = links.flatMap(([, ofLink]) => ofLink ?? []);
  return addresses.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address);
}

test("it reaches neither platform, host nor other containers, nor clouds' metadata", { skip }, async () => {
  await using host = await listen();
  await using other = story("serves");
  await other.sees(/^ta-\w+ listens at \S+$/m);
  const [, id, address = "", port = ""] = /^(ta-\w+) listens at (\S+):(\d+)$/m.exec(other.output) ?? [];
  const fromHost = connect(Number(port), address);
  await once(fromHost, "connect"); // the host itself does reach it
  fromHost.destroy();

  const platformPort = new URL(there().url).port;
  const targets = ["gateway", "127.0.0.1", ...hostAddresses()].flatMap((ip) => [
    `${ip}:${host.port}`,
    `${ip}:${platformPort}`,
  ]);
  targets.push(`${address}:${port}`, "169.254.169.254:80");
  await using run = story("reach", "--targets", targets.join(","));
  const found = await answerOf<Record<string, string>>(run);
  assert.deepEqual(Object.keys(found), targets);
  const open = Object.entries(found).filter(([, how]) => !how.startsWith("closed"));
  assert.deepEqual(open, []);

  await goOn(functionIn(there(), id));
  await other.finishWith(0);
});

test("one that eats all its memory ends with an error that names the limit", { skip }, async () => {
  await using run = story("memory");
  await run.finishWith(1);
  assert.match(run.stderr.replaceAll(/\s+/g, " "), /ran out of memory .*192 MiB/);
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

import { PlatformError, hasCode } from "@lydian/kit";

import type { ChildPlan } from "../src/kept-child.ts";
import { Supervisor, bindPort } from "../src/supervisor.ts";
import { ManualClock, RecordingLog } from "./doubles.ts";

const script = fileURLToPath(import.meta.resolve("./fake-child.ts"));

/** A supervisor of two fakes in a temporary folder; `behaviour` as the fake understands it. */
async function stage(behaviour: { server?: string; worker?: string } = {}) {
  const folder = await mkdtempDisposable(join(tmpdir(), "lydian-supervisor-"));
  const port = bindPort("127.0.0.1", 0);
  const clock = new ManualClock();
  const log = new RecordingLog();
  const diary = join(folder.path, "diary");
  const plan = (name: "server" | "worker", descriptors: number[]): ChildPlan => {
    const hasDependents = name === "worker";
    const data = join(folder.path, name);
    mkdirSync(data);
    const listenFd = descriptors.length > 0 ? { listenFd: 3 } : {};
    return {
      name,
      script,
      descriptors,
      hasDependents,
      configuration: { data, diary, behaviour: behaviour[name], ...listenFd },
    };
  };
  const plans = { server: plan("server", [port.fd()]), worker: plan("worker", []) };
  const supervisor = new Supervisor(plans, { clock, log: log.logger, execArgv: ["--conditions=lydian-source"] });
  return {
    supervisor,
    clock,
    log,
    port: port.address().port,
    diary: () => readFileSync(diary, "utf8").trim().split("\n"),
    async [Symbol.asyncDispose]() {
      supervisor.kill();
      await supervisor.close();
      port.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** What the server says to whoever connects. */
async function greeting(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

function exists(pid: number | undefined): boolean {
  try {
    process.kill(pid ?? assert.fail("no process"), 0);
    return true;
  } catch (error) {
    assert.ok(hasCode(error, "ESRCH"));
    return false;
  }
}

function kill(pid: number | undefined): void {
  process.kill(pid ?? assert.fail("no process"), "SIGKILL");
}

it("starts the worker's work after the server's, hands the port over, and stops them in the other order", async () => {
  await using it = await stage();
  await it.supervisor.start();
  const { server, worker } = it.supervisor.pids;
  assert.equal(await greeting(it.port), "hello");
  await it.supervisor.close();
  assert.deepEqual(it.diary(), ["server starts", "worker starts", "worker ends", "server ends"]);
  assert.deepEqual([exists(server), exists(worker)], [false, false]);
  await it.supervisor.close(); // again: no harm
});

it("starts a killed child again at once, then with backoff, and forgets the row after it ran half a minute", async () => {
  await using it = await stage();
  await it.supervisor.start();
  const first = it.supervisor.pids.worker;
  it.log.pass();

  kill(first);
  await it.log.next("the worker is ready"); // the clock has not moved
  assert.notEqual(it.supervisor.pids.worker, first);

  kill(it.supervisor.pids.worker);
  await it.log.next("is started again");
  assert.equal(it.supervisor.pids.worker, undefined);
  it.clock.advance(49);
  assert.equal(it.supervisor.pids.worker, undefined);
  it.clock.advance(1);
  await it.log.next("the worker is ready");

  it.clock.advance(30_000);
  kill(it.supervisor.pids.worker);
  await it.log.next("the worker is ready");
});

it("refuses no connection while the server is away", async () => {
  await using it = await stage();
  await it.supervisor.start();
  it.log.pass();
  kill(it.supervisor.pids.server);
  await it.log.next("the server is ready");
  kill(it.supervisor.pids.server);
  await it.log.next("is started again");
  const greetings = Array.from({ length: 20 }, () => greeting(it.port)); // nobody accepts now
  it.clock.advance(50);
  assert.deepEqual(new Set(await Promise.all(greetings)), new Set(["hello"]));
});

it("reports what a child says that cannot start, and leaves no process", async () => {
  await using it = await stage({ worker: "fails" });
  await assert.rejects(it.supervisor.start(), (error) => {
    assert.ok(error instanceof PlatformError);
    assert.equal(error.message, "the worker cannot find its shoes");
    assert.equal(error.hint, "look under the bed");
    return true;
  });
  const { server } = it.supervisor.pids;
  await it.supervisor.close();
  assert.equal(exists(server), false);
});

it("does not start again what ends by itself before it was ever ready", async () => {
  await using it = await stage({ server: "crashes" });
  await assert.rejects(it.supervisor.start(), { message: "the server ended before it was ready (exit status 3)" });
});

it("kills a child that does not end when asked", async () => {
  await using it = await stage({ worker: "is deaf" });
  await it.supervisor.start();
  const { worker } = it.supervisor.pids;
  const closed = it.supervisor.close();
  it.clock.advance(9_999);
  assert.equal(exists(worker), true);
  it.clock.advance(1);
  assert.equal(await closed, true);
  assert.equal(exists(worker), false);
  assert.deepEqual(it.diary().slice(-2), ["worker ends what is left", "server ends"]);
});

it("has what a killed worker left ended by another one", async () => {
  for (const kills of [1, 2]) {
    await using it = await stage();
    await it.supervisor.start();
    it.log.pass();
    kill(it.supervisor.pids.worker);
    if (kills === 2) {
      await it.log.next("the worker is ready");
      kill(it.supervisor.pids.worker);
      await it.log.next("is started again");
      assert.equal(it.supervisor.pids.worker, undefined); // it waits for the clock
    }
    assert.equal(await it.supervisor.close(), true);
    assert.deepEqual(it.diary().slice(-2), ["worker ends what is left", "server ends"]);
  }
});

it("tells when what a worker left cannot be ended", async () => {
  await using it = await stage({ worker: "leaves things" });
  await it.supervisor.start();
  kill(it.supervisor.pids.worker);
  assert.equal(await it.supervisor.close(), false);
  assert.equal(it.diary().filter((line) => line === "worker ends what is left").length, 3);
});

it("settles a start that is broken off", async () => {
  await using it = await stage();
  const started = it.supervisor.start();
  const { server, worker } = it.supervisor.pids;
  await Promise.all([assert.rejects(started, /closed before it was ready/), it.supervisor.close()]);
  assert.deepEqual([exists(server), exists(worker)], [false, false]);
});

it("says what to do when the machine has no such address", () => {
  assert.throws(() => bindPort("192.0.2.1", 0), { message: "this machine has no address 192.0.2.1" });
});

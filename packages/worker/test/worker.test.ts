/** The worker's whole way, with the real process and a fake server: assigned, running, crashed, adopted, gone. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import * as wire from "@lydian/contract/worker";

import { containerPlace } from "../src/container/folder.ts";
import { writeLease } from "../src/container/lease.ts";
import { readKeeperRecord } from "../src/runtime/process/keeper.ts";
import { isRunning } from "../src/runtime/process/process-identity.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { FakeServer } from "./support/fake-server.ts";
import {
  assignment,
  installFakeClient,
  plantImage,
  startWorkerProcess,
  type WorkerProcess,
} from "./support/worker-process.ts";

const { ContainerState_Phase: Phase, Exit_Reason: Reason } = wire;

interface Bench {
  server: FakeServer;
  folder: string;
  minor: string;
  start(...args: string[]): WorkerProcess;
}

async function bench(t: TestContext): Promise<Bench> {
  const folder = await temporaryFolder(t);
  const server = await FakeServer.start();
  const minor = await installFakeClient(join(folder, "cache"));
  await plantImage(join(folder, "w"), minor);
  const workers: WorkerProcess[] = [];
  t.after(async () => {
    for (const worker of workers)
      if (worker.child.exitCode === null && worker.child.signalCode === null) await worker.kill("SIGTERM");
    await server.close();
  });
  return {
    server,
    folder,
    minor,
    start(...args) {
      const worker = startWorkerProcess(folder, server, args);
      workers.push(worker);
      return worker;
    },
  };
}

it("runs a function, sends its log and its end, and forgets it when released", async (t) => {
  const { server, folder, minor, start } = await bench(t);
  const worker = start();
  await worker.ready;
  const [join1] = server.joins();
  assert.match(join1?.workerId ?? "", /^wo-/);
  assert.deepEqual(
    join1?.runtimes.map(({ name, isolates, limits }) => ({ name, isolates, limits })),
    [{ name: "process", isolates: false, limits: false }],
  );
  const source = `
import os, sys, hello
print(hello.greeting, os.getcwd() == os.environ["HOME"], os.environ["MODAL_TASK_ID"], os.environ["COLOUR"])
print(open("data/x.txt").read(), file=sys.stderr)
print("no newline", end="")
sys.exit(3)`;
  const mounts = [server.addMount({ "/root/hello.py": "greeting = 'hello'\n", "/root/data/x.txt": "content" })];
  server.send(assignment("ta-1", minor, source, { mounts, env: { COLOUR: "red" } }));
  const gone = await server.gone("ta-1");
  assert.equal(gone.exit?.reason, Reason.EXITED);
  assert.equal(gone.exit?.code, 3);
  assert.equal(server.text("ta-1", wire.Logs_Stream.STDOUT), "hello True ta-1 red\nno newline");
  assert.equal(server.text("ta-1", wire.Logs_Stream.STDERR), "content\n");
  const phases = server.states("ta-1").map((state) => state.phase);
  assert.deepEqual([...new Set(phases)], [Phase.PREPARING, Phase.RUNNING, Phase.GONE]);
  // The end comes after the log.
  assert.equal(server.received.at(-1)?.message.case, "containerState");

  server.send({ case: "release", value: { containerId: "ta-1", fence: "f1" } });
  server.send(assignment("ta-2", minor, "print('next')"));
  await server.gone("ta-2");
  assert.deepEqual(await readdir(join(folder, "w", "containers")), ["ta-2"]);
});

it("adopts running containers after kill -9: doors first, log from the acknowledged offset, end", async (t) => {
  const { server, folder, minor, start } = await bench(t);
  const first = start();
  await first.ready;
  const source = `
import os, socket, time
def ask(text):
    s = socket.socket(socket.AF_UNIX); s.connect(os.environ["MODAL_SERVER_URL"][5:]); s.sendall(text)
    s.shutdown(socket.SHUT_WR); answer = s.makefile("rb").read(); s.close(); return answer.decode()
print("one"); print(ask(b"first"))
try: answer = ask(b"second")  # until the worker dies
except OSError: answer = ""
broken = time.monotonic()
while not answer:
    try: answer = ask(b"third")
    except OSError: time.sleep(0.005)
print(answer, round((time.monotonic() - broken) * 1000)); os.kill(os.getpid(), 11)`;
  server.send(assignment("ta-1", minor, source));
  const door = await server.until(() => server.doors[0]);
  assert.equal(door.secret, "secret-of-ta-1");
  door.socket.end("reply");
  await server.until(() => (server.text("ta-1").includes("reply\n") ? true : undefined));
  const acknowledged = server.logs("ta-1").at(-1)?.endOffset ?? 0n;
  server.send({ case: "logsAck", value: { containerId: "ta-1", fence: "f1", endOffset: acknowledged } });
  await server.until(() => server.doors[1]);
  const place = containerPlace(join(folder, "w"), "ta-1");
  for (const file = join(place.folder, "log-acknowledged"); ;) {
    if ((await readFile(file, "utf8").catch(() => "")) === String(acknowledged)) break;
    await new Promise(setImmediate);
  }
  const record = await readKeeperRecord(place);
  assert.ok(record !== undefined);

  await first.kill("SIGKILL");
  assert.ok(isRunning(record.main));
  const before = server.received.length;
  const second = start();
  await second.ready;
  t.diagnostic(`doors are open ${await second.doorsMs} ms after the start of the worker`);
  const adopted = server.joins().at(-1)?.adopted ?? [];
  assert.deepEqual(
    adopted.map(({ containerId, fence, phase }) => ({ containerId, fence, phase })),
    [{ containerId: "ta-1", fence: "f1", phase: Phase.RUNNING }],
  );
  (await server.until(() => server.doors[2])).socket.end("back");
  const gone = await server.gone("ta-1");
  assert.equal(gone.exit?.reason, Reason.SIGNALED);
  assert.equal(gone.exit?.signal, "SIGSEGV");
  const resent = server.received
    .slice(before)
    .flatMap(({ message }) => (message.case === "logs" ? [message.value] : []));
  assert.equal(resent[0]?.offset, acknowledged);
  const [, outageMs] = /^one\nreply\nback (\d+)\n$/.exec(server.text("ta-1")) ?? [];
  t.diagnostic(`the container was cut off for ${outageMs} ms; its worker was started anew at once`);
  assert.ok(outageMs !== undefined);
  assert.ok(!isRunning(record.keeper));
});

it("reports what ended while no worker was there, and what its keeper took with it", async (t) => {
  const { server, folder, minor, start } = await bench(t);
  const first = start();
  await first.ready;
  const wait = "import sys; print('up', flush=True); sys.stdin.close(); import time; time.sleep(600)";
  server.send(assignment("ta-1", minor, wait));
  server.send(assignment("ta-2", minor, wait));
  await server.until(() => (server.text("ta-1") + server.text("ta-2") === "up\nup\n" ? true : undefined));
  await first.kill("SIGKILL");
  const records = await Promise.all(
    ["ta-1", "ta-2"].map((id) => readKeeperRecord(containerPlace(join(folder, "w"), id))),
  );
  process.kill(records[0]!.main.pid, "SIGTERM");
  process.kill(records[1]!.keeper.pid, "SIGKILL");
  while (isRunning(records[0]!.keeper) || isRunning(records[1]!.main)) await new Promise(setImmediate);
  const second = start();
  await second.ready;
  const [one, two] = await Promise.all([server.gone("ta-1"), server.gone("ta-2")]);
  assert.equal(one.exit?.signal, "SIGTERM");
  assert.equal(two.exit?.reason, Reason.LOST);
});

it("does not blame a function for an error soon after its worker was killed: its door was shut", async (t) => {
  const { server, folder, minor, start } = await bench(t);
  const first = start();
  await first.ready;
  const sign = join(folder, "go");
  const source = `
import os, sys, time
print("up", flush=True)
while not os.path.exists(${JSON.stringify(sign)}): time.sleep(0.01)
sys.exit(1)`;
  server.send(assignment("ta-1", minor, source));
  await server.until(() => (server.text("ta-1") === "up\n" ? true : undefined));
  await first.kill("SIGKILL");
  await start().ready;
  await writeFile(sign, "");
  const { exit } = await server.gone("ta-1");
  assert.deepEqual(
    [exit?.reason, exit?.message],
    [Reason.LOST, "it ended with code 1 after its worker had been killed"],
  );
});

it("is idempotent about assignments, replaces by fence, ignores other fences, and stops with a grace", async (t) => {
  const { server, minor, start } = await bench(t);
  await start().ready;
  const wait = `
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("ignoring"))
print("up")
while True: time.sleep(600)`;
  const assign = assignment("ta-1", minor, wait);
  server.send(assign);
  server.send(assign);
  await server.until(() => (server.text("ta-1") === "up\n" ? true : undefined));
  server.send({ case: "stop", value: { containerId: "ta-1", fence: "other", graceMs: 0n } });
  server.send({ case: "stop", value: { containerId: "ta-1", fence: "f1", graceMs: 200n } });
  const gone = await server.gone("ta-1");
  assert.equal(gone.exit?.reason, Reason.STOPPED);
  assert.equal(server.text("ta-1"), "up\nignoring\n");

  server.send(assignment("ta-2", minor, wait));
  await server.until(() => (server.text("ta-2") === "up\n" ? true : undefined));
  const again = assignment("ta-2", minor, "print('of the second fence')");
  server.send({ case: "assign", value: { ...again.value, fence: "f2" } });
  await server.until(() => server.states("ta-2").find((s) => s.fence === "f2" && s.phase === Phase.GONE));
  assert.equal(server.logs("ta-2").at(-1)?.fence, "f2");
});

it("can be stopped while it is prepared", async (t) => {
  const { server, minor, start } = await bench(t);
  await start().ready;
  const mount = server.addMount({ "/root/x": "" });
  server.slow.add(mount.manifestSha256!);
  server.send(assignment("ta-1", minor, "print('never')", { mounts: [mount] }));
  await server.until(() => (server.requests > 0 ? true : undefined));
  server.send({ case: "stop", value: { containerId: "ta-1", fence: "f1", graceMs: 60_000n } });
  const gone = await server.gone("ta-1");
  assert.equal(gone.exit?.reason, Reason.STOPPED);
  assert.ok(server.states("ta-1").every((state) => state.phase !== Phase.RUNNING || state === gone));
});

it("says why a container could not start", async (t) => {
  const { server, minor, start } = await bench(t);
  await start().ready;
  const cases = {
    "ta-1": assignment("ta-1", "3.2", ""),
    "ta-2": assignment("ta-2", minor, "", { mounts: [server.addMount({ "/app/x": "" })] }),
    "ta-3": assignment("ta-3", minor, "", { mounts: [server.addMount({ "/root/../x": "" })] }),
    "ta-4": assignment("ta-4", minor, "", { mounts: [{ manifestSha256: "0".repeat(64) }] }),
    "ta-5": assignment("ta-5", minor, "", { runner: {} }),
  };
  const messages: Record<string, string> = {};
  for (const [id, assign] of Object.entries(cases)) {
    server.send(assign);
    const { exit } = await server.gone(id);
    assert.equal(exit?.reason, Reason.FAILED_TO_START);
    messages[id] = exit?.message ?? "";
  }
  assert.match(messages["ta-1"]!, /no Python 3\.2 on this host; it has .*3\.\d+/);
  assert.match(messages["ta-2"]!, /\/app\/x cannot be laid out: the runtime "process" .*\nmount it below \/root/);
  assert.match(messages["ta-3"]!, /not absolute and plain/);
  assert.match(messages["ta-4"]!, /404/);
  assert.match(messages["ta-5"]!, /runner that this worker does not know/);
});

it("joins again when the session breaks, and repeats what was not acknowledged", async (t) => {
  const { server, minor, start } = await bench(t);
  await start().ready;
  server.send(assignment("ta-1", minor, "print('once')"));
  await server.gone("ta-1");
  const before = server.received.length;
  server.cut();
  await server.until(() => (server.joins().length === 2 ? true : undefined));
  assert.equal(server.joins()[1]?.adopted[0]?.phase, Phase.RUNNING);
  await server.until(() =>
    server.received
      .slice(before)
      .find(({ message }) => message.case === "containerState" && message.value.phase === Phase.GONE),
  );
  assert.equal(server.text("ta-1"), "once\n");
});

it("leaves containers running when its supervisor is gone, and none when it is told to end", async (t) => {
  const { server, folder, minor, start } = await bench(t);
  const first = start();
  await first.ready;
  // The second process leaves the group and the session, as a daemon does.
  const source = `
import subprocess, sys, time
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(child.pid); time.sleep(600)`;
  server.send(assignment("ta-1", minor, source));
  await server.until(() => (server.text("ta-1").endsWith("\n") ? true : undefined));
  first.child.stdin?.end();
  await new Promise((resolve) => first.child.once("exit", resolve));
  const record = await readKeeperRecord(containerPlace(join(folder, "w"), "ta-1"));
  assert.ok(record !== undefined && isRunning(record.main));

  const second = start();
  await second.ready;
  await second.kill("SIGTERM");
  assert.equal((await server.gone("ta-1")).exit?.reason, Reason.STOPPED);
  assert.ok(!isRunning(record.main) && !isRunning(record.keeper));
  assert.throws(() => process.kill(Number(server.text("ta-1")), 0), { code: "ESRCH" });
});

it("ends what a killed one has left, tells the server, and ends, when it is started for that alone", async (t) => {
  const { server, folder, minor, start } = await bench(t);
  const first = start();
  await first.ready;
  server.send(assignment("ta-1", minor, "print('up', flush=True); import time; time.sleep(600)"));
  await server.until(() => (server.text("ta-1") === "up\n" ? true : undefined));
  const record = await readKeeperRecord(containerPlace(join(folder, "w"), "ta-1"));
  await first.kill("SIGKILL");
  const second = start("--end");
  const [code] = await once(second.child, "exit");
  assert.equal(code, 0);
  assert.equal((await server.gone("ta-1")).exit?.reason, Reason.STOPPED);
  assert.ok(record !== undefined && !isRunning(record.main) && !isRunning(record.keeper));
});

it("loses no line of a flood, whoever is slower", async (t) => {
  const { server, minor, start } = await bench(t);
  await start().ready;
  const count = 200_000;
  server.send(
    assignment(
      "ta-1",
      minor,
      `import os\nfor i in range(0, ${count}, 100): os.write(1, b"".join(b"%d\\n" % j for j in range(i, i + 100)))`,
    ),
  );
  await server.gone("ta-1");
  const lines = server.text("ta-1").split("\n");
  assert.equal(lines.length, count + 1);
  assert.ok(lines.slice(0, count).every((line, i) => line === String(i)));
  for (const [i, piece] of server.logs("ta-1").entries()) {
    assert.equal(piece.offset, server.logs("ta-1")[i - 1]?.endOffset ?? 0n);
    if (i > 50) break; // quadratic, and the first ones tell as much as all
  }
});

it("removes what was never finished and ends what nobody has a lease for", async (t) => {
  const { server, folder, minor, start } = await bench(t);
  const data = join(folder, "w");
  const halfMade = join(data, "containers", "ta-7");
  await mkdir(halfMade, { recursive: true });
  await writeFile(join(halfMade, "lease.json"), '{"containerId":"ta-7","fen');
  // Accepted, but its worker died before it ran: the server finds it in no Join and assigns it again.
  const neverRan = containerPlace(data, "ta-8");
  const lease = { containerId: "ta-8", fence: "f0", doorSecret: "s", runtime: "process" };
  await writeLease(neverRan.folder, lease);
  const env = { MODAL_TASK_ID: "ta-9", MODAL_SERVER_URL: `unix:${join(data, "d", "0123456789ab")}` };
  const stray = spawn("sleep", ["600"], { env, stdio: "ignore" });
  const others = spawn("sleep", ["600"], {
    env: { ...env, MODAL_SERVER_URL: "unix:/other/d/0123456789ab" },
    stdio: "ignore",
  });
  t.after(() => others.kill());
  const strayEnd = once(stray, "exit");
  await start().ready;
  assert.equal((await strayEnd)[1], "SIGKILL");
  assert.equal(others.exitCode ?? others.signalCode, null);
  assert.deepEqual(server.joins()[0]?.adopted, []);
  assert.deepEqual(await readdir(join(data, "containers")), []);
  server.send(assignment("ta-8", minor, "print('at last')"));
  await server.gone("ta-8");
  assert.equal(server.text("ta-8"), "at last\n");
});

/** How containers of the runtime `runc` end, and that nothing of them is left. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import test from "node:test";

import { until, within } from "@lydian/testkit";

import { needsContainers, newIdentity, nothingIsLeft, outputOf, Rig, sharedRig } from "./rig.ts";

const shared = sharedRig();

test("a container keeps stdout and stderr apart, with times, and tells the exit code", needsContainers, async () => {
  const { rig } = shared;
  const { end, log } = await rig.run("echo one; echo two >&2; printf three; exit 7");
  assert.deepEqual(end, { reason: "exited", code: 7 });
  const records = log
    .trim()
    .split("\n")
    .map((record) => record.split(" "));
  const line = (stream: string): string[] =>
    records.filter(([, name]) => name === stream).map(([, , ...rest]) => rest.join(" "));
  assert.deepEqual(line("stdout"), ["F one", "P three"]);
  assert.deepEqual(line("stderr"), ["F two"]);
  for (const [time = ""] of records) assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
});

test("a container keeps its output whatever the data folder is called", needsContainers, async (t) => {
  const identity = await newIdentity("lydian-runc-a: b,c-");
  const rig = await Rig.open(identity);
  t.after(async () => {
    await rig.close();
    await nothingIsLeft(identity);
  });
  assert.equal((await rig.run("echo kept")).output, "kept\n");
});

test("an end is told as a signal when one ended it", needsContainers, async () => {
  const { rig } = shared;
  const place = await rig.place();
  await rig.lay(place);
  const process = await rig.start(place, "echo up; exec sleep 60");
  await rig.said(place, "up\n");
  process.signal("SIGKILL");
  const end = await within(5000, process.end, () => "it does not end");
  assert.deepEqual(end, { reason: "signaled", signal: "SIGKILL" });
  await rig.runtime.clear(place);
  await rig.runtime.clear(place); // twice does no harm
});

test("SIGTERM reaches a handler, whose exit code is the container's", needsContainers, async () => {
  const { rig } = shared;
  const place = await rig.place();
  await rig.lay(place);
  const process = await rig.start(place, 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.05; done');
  await rig.said(place, "up\n");
  process.signal("SIGTERM");
  assert.deepEqual(await within(5000, process.end, () => "it does not end"), { reason: "exited", code: 5 });
  assert.match(outputOf(await readFile(place.logFile, "utf8")), /bye/);
  await rig.runtime.clear(place);
});

test("signals mean to a container's program what they mean anywhere", needsContainers, async () => {
  const { rig } = shared;
  // The first process of a process namespace cannot end itself by any of these.
  for (const signal of ["SIGTERM", "SIGKILL", "SIGABRT", "SIGHUP"]) {
    const { end } = await rig.run(`exec python3 -c 'import os, signal; os.kill(os.getpid(), signal.${signal})'`);
    assert.deepEqual(end, { reason: "signaled", signal });
  }
  const { end } = await rig.run("exec python3 -c 'import os; os.abort()'");
  assert.deepEqual(end, { reason: "signaled", signal: "SIGABRT" });
});

test("SIGTERM reaches the program's whole group, and ends who does not handle it", needsContainers, async () => {
  const { rig } = shared;
  const place = await rig.place();
  await rig.lay(place);
  const child = "trap 'echo the child too; exit' TERM; echo up; while :; do sleep 0.05; done";
  const process = await rig.start(place, `sh -c "${child}" & wait; exit 9`);
  await rig.said(place, "up\n");
  process.signal("SIGTERM");
  const end = await within(5000, process.end, () => "it does not end");
  assert.deepEqual(end, { reason: "signaled", signal: "SIGTERM" });
  await rig.runtime.clear(place);
});

test("orphans are waited for: no zombie stays", needsContainers, async () => {
  const { rig } = shared;
  const script = `exec python3 -c "
import os
for _ in range(300):
    child = os.fork()
    if child == 0:
        if os.fork() == 0: os._exit(0)  # the grandchild becomes an orphan
        os._exit(0)
    os.waitpid(child, 0)
while len([name for name in os.listdir('/proc') if name.isdigit()]) > 2: os.sched_yield()  # zombies are listed as well
"`;
  assert.deepEqual((await rig.run(script, { pids: 100 })).end, { reason: "exited", code: 0 });
});

test("an end is told as want of memory, with the limit", needsContainers, async () => {
  const { rig } = shared;
  const { end } = await rig.run("exec python3 -c 'bytearray(200 << 20)'", { memoryMib: 64 });
  assert.deepEqual(end, { reason: "outOfMemory", limitMib: 64 });
});

test("a container goes on when memory ends a child of it", needsContainers, async () => {
  const { rig } = shared;
  const { end, output } = await rig.run("python3 -c 'bytearray(200 << 20)'; echo code $?; exit 0", { memoryMib: 64 });
  assert.deepEqual(end, { reason: "exited", code: 0 });
  assert.match(output, /code 137/);
});

test("a fork bomb stays inside and ends with the container", needsContainers, async () => {
  const { rig } = shared;
  const place = await rig.place();
  await rig.lay(place, { pids: 60, milliCpu: 300 });
  const script = `exec python3 -c "
import os, time
while True:
    try: os.fork()
    except OSError: time.sleep(0.01)
"`;
  const process = await rig.start(place, script);
  await rig.runtime.ready(place);
  const host = `/lydian/${rig.identity.instance}/${place.id}`;
  await until(
    10_000,
    async () => (await rig.cgroups.usage(host)).pids >= 55,
    () => "no bomb",
  );
  assert.ok((await rig.cgroups.usage(host)).pids <= 60);
  process.signal("SIGKILL");
  assert.equal((await within(10_000, process.end, () => "it does not end")).reason, "signaled");
  assert.deepEqual(await rig.cgroups.pids(host), []);
  await rig.runtime.clear(place);
});

test("a start is refused in a sentence when the program is not there", needsContainers, async () => {
  const { rig } = shared;
  const place = await rig.place();
  await rig.lay(place);
  const start = rig.runtime.start(place, { argv: ["/no/such/program"], env: {}, cwd: "/" });
  await assert.rejects(start, /the image has no \/no\/such\/program/);
  await rig.runtime.clear(place);
});

test("a container is lost when its conmon is killed, and its processes end", needsContainers, async () => {
  const { rig } = shared;
  const place = await rig.place();
  await rig.lay(place);
  const container = await rig.start(place, "exec sleep 60");
  const folder = `/run/lydian/${rig.identity.instance}/c/${place.id}`;
  process.kill(Number(await readFile(`${folder}/bundle/conmon-pid`, "utf8")), "SIGKILL");
  const end = await within(5000, container.end, () => "it does not end");
  assert.equal(end.reason, "lost");
  await rig.runtime.clear(place);
  assert.deepEqual(await rig.cgroups.pids(`/lydian/${rig.identity.instance}/${place.id}`), []);
});

test("the cpu limit holds from `ready` on", needsContainers, async () => {
  const { rig } = shared;
  const place = await rig.place();
  await rig.lay(place, { milliCpu: 200, milliCpuLimit: 200 });
  const process = await rig.start(
    place,
    "python3 -c 'import time; t = time.time()\nwhile time.time() - t < 1.5: pass\nprint(time.process_time())'",
  );
  await rig.runtime.ready(place);
  await process.end;
  const seconds = Number(outputOf(await readFile(place.logFile, "utf8")));
  assert.ok(seconds > 0 && seconds < 0.75, `${seconds} s of processor time in 1.5 s`);
  await rig.runtime.clear(place);
  await rig.runtime.ready(place); // it is gone: nothing happens
});

test(
  "whatever a container leaves on its disk is deleted, deep folders and many files alike",
  needsContainers,
  async () => {
    const { rig } = shared;
    const script = `exec python3 -c "
import os
for number in range(20000): open(f'/tmp/{number}', 'w').close()
os.chdir('/root')
for _ in range(3000): os.mkdir('deeper'); os.chdir('deeper')
"`;
    const { end } = await rig.run(script);
    assert.deepEqual(end, { reason: "exited", code: 0 });
    await rig.runtime.close();
    assert.deepEqual(await readdir(`${rig.identity.data}/trash`), []);
  },
);

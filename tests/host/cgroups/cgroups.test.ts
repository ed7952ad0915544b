/** Control groups of this host, whichever version they are: what is limited is limited, and nothing is left behind. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { PlatformError } from "@lydian/kit";
import { until, within } from "@lydian/testkit";

import { cannotRun, cgroups, ScratchGroup } from "./scratch-group.ts";

const options = { skip: cannotRun };

/** What a file of the group says, in the hierarchy that has it. */
async function read(group: ScratchGroup, file: string): Promise<string> {
  const folder = cgroups.folders(group.path).find((candidate) => existsSync(join(candidate, file)));
  assert.ok(folder !== undefined, `no ${file}`);
  return (await readFile(join(folder, file), "utf8")).trim();
}

/** The name of a control file by version. */
const file = (version1: string, version2: string): string => (cgroups.version === 1 ? version1 : version2);
const memoryFile = file("memory.limit_in_bytes", "memory.max");
const mib = (count: number): string => String(count * 1024 * 1024);

test("a process that eats all its memory is killed, counted and told of", options, async () => {
  await using group = await ScratchGroup.make();
  await cgroups.limit(group.path, { memoryMib: 48 });
  const told = Promise.withResolvers<number>();
  using _watch = cgroups.watchOom(group.path, { onKill: told.resolve, onError: told.reject });
  const hog = await group.run("b = bytearray(300 << 20)");
  assert.equal(await hog.end, "SIGKILL");
  assert.equal(await cgroups.oomKills(group.path), 1);
  assert.equal(await within(10_000, told.promise, () => "nobody was told"), 1);
});

test("a child that eats all its memory leaves its parent alive", options, async () => {
  await using group = await ScratchGroup.make();
  await cgroups.limit(group.path, { memoryMib: 48 });
  const parent = await group.run(
    "pid = os.fork()\n" +
      "if pid == 0: b = bytearray(300 << 20)\n" +
      "print(os.WTERMSIG(os.waitpid(pid, 0)[1]))\ntime.sleep(60)",
  );
  assert.equal(await parent.line(), "9");
  assert.equal(await cgroups.oomKills(group.path), 1);
  assert.deepEqual(await cgroups.pids(group.path), [parent.pid]);
});

test("memory is raised, lowered and freed of its limit in any order, with swap never above it", options, async () => {
  await using group = await ScratchGroup.make();
  const swapFile = file("memory.memsw.limit_in_bytes", "memory.swap.max");
  for (const memoryMib of [64, 32, 128, 128, 16, 256]) {
    await cgroups.limit(group.path, { memoryMib });
    assert.equal(await read(group, memoryFile), mib(memoryMib));
    if (existsSync(join(cgroups.folders(group.path)[0] ?? "", swapFile)))
      assert.equal(await read(group, swapFile), file(mib(memoryMib), "0"));
  }
  await cgroups.limit(group.path, { memoryMib: "none" });
  assert.ok(!(Number(await read(group, memoryFile)) < 2 ** 50));
  await cgroups.limit(group.path, { memoryMib: 32 });
  assert.equal(await read(group, memoryFile), mib(32));
});

test("no more processes are born than the limit says", options, async () => {
  await using group = await ScratchGroup.make();
  await cgroups.limit(group.path, { pids: 7 });
  const bomb = await group.run(
    "born = 0\n" +
      "try:\n  while born < 100:\n    if os.fork() == 0: time.sleep(60)\n    born += 1\n" +
      "except OSError as error: print(born, error.errno)\ntime.sleep(60)",
  );
  assert.equal(await bomb.line(), "6 11"); // EAGAIN
  assert.equal((await cgroups.usage(group.path)).pids, 7);
});

test("the ceiling of CPU time is set, holds, and is lifted; the share is set", options, async () => {
  await using group = await ScratchGroup.make();
  const shareFile = file("cpu.shares", "cpu.weight");
  const quota = (): Promise<string> => read(group, file("cpu.cfs_quota_us", "cpu.max"));
  await cgroups.limit(group.path, { milliCpu: 50, shareMilliCpu: 125 });
  assert.equal(await quota(), file("5000", "5000 100000"));
  assert.equal(await read(group, shareFile), file("128", "13"));
  await group.run("while True: pass");
  const throttled = async (): Promise<boolean> => /^nr_throttled [1-9]/m.test(await read(group, "cpu.stat"));
  await until(20_000, throttled, () => "a process that never rests was never held back");
  const hasRun = async (): Promise<boolean> => (await cgroups.usage(group.path)).cpuMicroseconds > 0;
  await until(20_000, hasRun, () => "a process that never rests has used no time");
  await cgroups.limit(group.path, { milliCpu: "none" });
  assert.equal(await quota(), file("-1", "max 100000"));
  assert.equal(await read(group, shareFile), file("128", "13"));
});

test("all are killed: those who ignore signals, who fork without end, who stand still", options, async () => {
  await using group = await ScratchGroup.make();
  await cgroups.limit(group.path, { pids: 60 });
  const deaf = await group.run(
    "import signal\nfor n in range(1, 32):\n  if n not in (9, 19): signal.signal(n, signal.SIG_IGN)\n" +
      "print('deaf')\ntime.sleep(60)",
  );
  assert.equal(await deaf.line(), "deaf");
  const bomb = await group.run(
    "print('bomb')\nos.close(1)\n" +
      "while True:\n  try:\n    if os.fork() == 0 and os.fork() > 0: os._exit(0)\n  except OSError: pass",
  );
  assert.equal(await bomb.line(), "bomb");
  const isFull = async (): Promise<boolean> => (await cgroups.usage(group.path)).pids > 50;
  await until(20_000, isFull, () => "the fork bomb does not go off");
  await cgroups.freeze(group.path); // never thawed by us
  await cgroups.kill(group.path);
  assert.deepEqual(await cgroups.pids(group.path), []);
  assert.equal(await deaf.end, "SIGKILL");
  await cgroups.kill(group.path); // nobody is there any more
});

test(
  "whoever is in one hierarchy only, as after a start that was broken off, is found and killed",
  options,
  async () => {
    await using group = await ScratchGroup.make();
    for (const folder of cgroups.folders(group.path).filter((name) => !name.includes("cpuset"))) {
      const lost = await group.run("print('here')\ntime.sleep(60)", [folder]);
      assert.equal(await lost.line(), "here");
      assert.deepEqual(await cgroups.pids(group.path), [lost.pid], folder);
      await cgroups.kill(group.path);
      assert.equal(await lost.end, "SIGKILL");
      await cgroups.limit(group.path, { pids: "none" }); // killed groups let nobody in
    }
  },
);

test(
  "frozen processes stand still, although they had used up their CPU time, and go on with their old limit",
  options,
  async () => {
    await using group = await ScratchGroup.make();
    await cgroups.limit(group.path, { milliCpu: 20 });
    for (let n = 0; n < 3; n++) await group.run("while True: pass");
    const time = async (): Promise<number> => (await cgroups.usage(group.path)).cpuMicroseconds;
    await until(
      20_000,
      async () => (await time()) > 10_000,
      () => "they do not run",
    );
    const frozen = await cgroups.freeze(group.path);
    const before = await time();
    const reference = process.cpuUsage();
    while (process.cpuUsage(reference).user < 50_000); // some time in which others run
    assert.equal(await time(), before);
    await frozen.thaw();
    await frozen.thaw();
    assert.equal(await read(group, file("cpu.cfs_quota_us", "cpu.max")), file("2000", "2000 100000"));
    await until(
      20_000,
      async () => (await time()) > before,
      () => "they do not go on",
    );
  },
);

test("groups below groups are listed, and removed with them; other groups stay", options, async () => {
  await using mine = await ScratchGroup.make();
  await using other = await ScratchGroup.make();
  await cgroups.create(`${mine.path}/b/deep/deeper`);
  await cgroups.create(`${mine.path}/a`);
  assert.deepEqual(await cgroups.children(mine.path), ["a", "b"]);
  await cgroups.create(`${mine.path}/a`);
  await cgroups.removeIfEmpty(mine.path);
  assert.deepEqual(await cgroups.children(mine.path), ["a", "b"]);
  await cgroups.remove(mine.path);
  await cgroups.remove(mine.path);
  for (const folder of cgroups.folders(mine.path)) assert.ok(!existsSync(folder));
  for (const folder of cgroups.folders(other.path)) assert.ok(existsSync(folder));
  assert.deepEqual(await cgroups.children(mine.path), []);
  assert.deepEqual([await cgroups.pids(mine.path), await cgroups.oomKills(mine.path)], [[], 0]);
});

test("a group whose processes live is not removed, and who they are is said", options, async () => {
  await using group = await ScratchGroup.make();
  const living = await group.run("print('here')\ntime.sleep(60)");
  assert.equal(await living.line(), "here");
  await assert.rejects(cgroups.remove(group.path), (error) => {
    return error instanceof PlatformError && error.message.endsWith(`processes in it: ${living.pid}`);
  });
  await cgroups.removeIfEmpty(group.path);
  assert.ok(existsSync(join(cgroups.folders(group.path).at(-1) ?? "", "cgroup.procs")));
});

test("platforms that come and go at the same time do not take each other's parent away", options, async () => {
  const platform = async (name: string): Promise<void> => {
    for (let round = 0; round < 15; round++) {
      await cgroups.create(`/lydian/${name}`);
      for (const folder of cgroups.folders(`/lydian/${name}`)) assert.ok(existsSync(folder));
      await cgroups.remove(`/lydian/${name}`);
      await cgroups.removeIfEmpty("/lydian");
    }
  };
  await Promise.all(["a", "b", "c"].map((name) => platform(`test-${process.pid}-${name}`)));
});

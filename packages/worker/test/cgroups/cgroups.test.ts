// On folder trees that look like the kernel's; tests/host/cgroups has the kernel's own, which only root may use.

import assert from "node:assert/strict";
import { readFileSync, watch } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it, type TestContext } from "node:test";

import { PlatformError } from "@lydian/kit";

import { Cgroups } from "../../src/cgroups/cgroups.ts";
import { CgroupsVersion1 } from "../../src/cgroups/version-1.ts";
import { CgroupsVersion2 } from "../../src/cgroups/version-2.ts";
import { temporaryFolder } from "../support/temporary.ts";

const group = "/lydian/a/b";

/** A tree with these files. */
async function tree(t: TestContext, files: Record<string, string>) {
  const root = await temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return {
    root,
    text: (name: string) => readFile(join(root, name), "utf8"),
    /** Does once what the kernel would when this is written into a file. */
    answer: (name: string, expected: string, act: () => Promise<unknown>) => {
      const watcher = watch(join(root, name), () => {
        if (readFileSync(join(root, name), "utf8") !== expected) return; // emptied, and not yet written
        watcher.close();
        void act();
      });
    },
  };
}

/** One of version 2, with the files of one control group and its parents. */
async function version2(t: TestContext, files: Record<string, string> = {}) {
  const parents = ["", "lydian/", "lydian/a/"];
  const all = {
    "cgroup.controllers": "cpuset cpu io memory pids\n",
    ...Object.fromEntries(parents.map((parent) => [`${parent}cgroup.subtree_control`, ""])),
    ...Object.fromEntries(
      Object.entries({ "cgroup.procs": "", ...files }).map(([name, text]) => [`${group.slice(1)}/${name}`, text]),
    ),
  };
  const made = await tree(t, all);
  const cgroups = new Cgroups(await CgroupsVersion2.at(made.root));
  return { ...made, cgroups, own: (name: string) => made.text(join(group, name)) };
}

it("version 2: parents hand their controllers down, those that do are left alone", async (t) => {
  const { cgroups, text, root } = await version2(t);
  await writeFile(join(root, "cgroup.subtree_control"), "memory pids\n");
  await writeFile(join(root, "lydian/cgroup.subtree_control"), "cpu io memory pids\n");
  await cgroups.create(group);
  assert.equal(await text("cgroup.subtree_control"), "+cpu");
  assert.equal(await text("lydian/cgroup.subtree_control"), "cpu io memory pids\n");
  assert.equal(await text("lydian/a/cgroup.subtree_control"), "+cpu +memory +pids");
});

it("version 2: writes limits, and leaves alone what is not asked for", async (t) => {
  const files = { "cpu.max": "", "cpu.weight": "", "memory.max": "", "memory.swap.max": "", "pids.max": "" };
  const { cgroups, own } = await version2(t, files);
  const all = (): Promise<string[]> => Promise.all(Object.keys(files).map(own));
  await cgroups.limit(group, { milliCpu: 250 });
  assert.deepEqual(await all(), ["25000 100000", "", "", "", ""]);
  await cgroups.limit(group, { milliCpu: 1, shareMilliCpu: 2000, memoryMib: 128, pids: 100 });
  assert.deepEqual(await all(), ["1000 100000", "200", "134217728", "0", "100"]);
  await cgroups.limit(group, { milliCpu: "none", shareMilliCpu: 1, memoryMib: "none", pids: "none" });
  assert.deepEqual(await all(), ["max 100000", "1", "max", "max", "max"]);
});

it("version 2: limits memory where swap is not accounted for, and fails where the controller is not handed down", async (t) => {
  const { cgroups, own } = await version2(t, { "memory.max": "" });
  await cgroups.limit(group, { memoryMib: 1 });
  assert.equal(await own("memory.max"), "1048576");
  await assert.rejects(cgroups.limit(group, { pids: 1 }), /ENOENT/);
});

it("version 2: reads use, also where the kernel keeps no peak", async (t) => {
  const { cgroups } = await version2(t, {
    "cpu.stat": "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n",
    "memory.current": "4096\n",
    "pids.current": "3\n",
    "memory.events": "low 0\nhigh 0\nmax 9\noom 4\noom_kill 2\noom_group_kill 1\n",
  });
  const expected = { cpuMicroseconds: 1234, memoryBytes: 4096, peakBytes: undefined, pids: 3 };
  assert.deepEqual(await cgroups.usage(group), expected);
  assert.equal(await cgroups.oomKills(group), 2);
  assert.equal(await cgroups.oomKills("/lydian/a/gone"), 0);
});

it("version 2: tells of kills before and during the watch", async (t) => {
  const { cgroups, root } = await version2(t, { "memory.events": "oom_kill 1\n" });
  const counts: number[] = [];
  let heard = Promise.withResolvers<void>();
  const watching = cgroups.watchOom(group, {
    onKill: (kills) => (counts.push(kills), heard.resolve()),
    onError: (error) => heard.reject(error),
  });
  await heard.promise;
  heard = Promise.withResolvers();
  await writeFile(join(root, group, "memory.events"), "oom 7\noom_kill 3\n");
  await heard.promise;
  watching[Symbol.dispose]();
  assert.deepEqual(counts, [1, 3]);
});

it("version 2: kills until nobody is left, below as well", async (t) => {
  const { cgroups, own, answer, root } = await version2(t, {
    "cgroup.kill": "",
    "cgroup.procs": "11\n12\n",
    "inner/cgroup.procs": "0\n13\n",
  });
  assert.deepEqual(await cgroups.pids(group), [11, 12, 13]);
  assert.deepEqual(await cgroups.children(group), ["inner"]);
  answer(`${group}/cgroup.kill`, "1", async () => {
    await writeFile(join(root, group, "cgroup.procs"), "");
    await writeFile(join(root, group, "inner/cgroup.procs"), "");
  });
  await cgroups.kill(group);
  assert.equal(await own("cgroup.kill"), "1");
});

it("version 2: freezes without a ceiling of CPU time, and puts that back", async (t) => {
  const { cgroups, own, answer, root } = await version2(t, {
    "cpu.max": "5000 100000\n",
    "cgroup.freeze": "0\n",
    "cgroup.events": "populated 1\nfrozen 0\n",
  });
  const quotas: string[] = [];
  answer(`${group}/cgroup.freeze`, "1", async () => {
    quotas.push(await own("cpu.max"));
    await writeFile(join(root, group, "cgroup.events"), "populated 1\nfrozen 1\n");
  });
  const frozen = await cgroups.freeze(group);
  assert.deepEqual(quotas, ["max 100000"]);
  await frozen.thaw();
  assert.deepEqual([await own("cgroup.freeze"), await own("cpu.max")], ["0", "5000 100000"]);
});

it("version 1: finds processes in any hierarchy", async (t) => {
  const { root } = await tree(t, {
    "cpu,cpuacct/lydian/a/b/cgroup.procs": "7\n",
    "memory/lydian/a/b/cgroup.procs": "7\n",
    "unified/lydian/a/b/cgroup.procs": "8\n",
  });
  const hierarchies = [
    { folder: join(root, "cpu,cpuacct"), carries: ["cpu", "cpuacct"] },
    { folder: join(root, "memory"), carries: ["memory"] },
    { folder: join(root, "systemd"), carries: ["name=systemd"] },
  ];
  const cgroups = new Cgroups(new CgroupsVersion1({ hierarchies, unified: join(root, "unified") }));
  assert.deepEqual(await cgroups.pids(group), [7, 8]);
  assert.deepEqual([...cgroups.controllers], ["cpu", "cpuacct", "memory"]);
  await assert.rejects(async () => cgroups.limit(group, { pids: 1 }), /no control groups for pids/);
});

it("version 1: limits memory where swap is not accounted for", async (t) => {
  const { root, text } = await tree(t, { "memory/lydian/a/b/memory.limit_in_bytes": "9223372036854771712\n" });
  const hierarchies = [{ folder: join(root, "memory"), carries: ["memory"] }];
  const cgroups = new Cgroups(new CgroupsVersion1({ hierarchies, unified: undefined }));
  await cgroups.limit(group, { memoryMib: 2 });
  assert.equal(await text("memory/lydian/a/b/memory.limit_in_bytes"), "2097152");
});

it("refuses paths that could mean more than they say", async (t) => {
  const { cgroups } = await version2(t);
  for (const path of ["", "/", "lydian", "/lydian/", "/lydian/../user.slice", "/lydian//a", "/.", "/lydian/a b"]) {
    await assert.rejects(async () => cgroups.remove(path), PlatformError, path);
    await assert.rejects(async () => cgroups.kill(path), PlatformError, path);
  }
});

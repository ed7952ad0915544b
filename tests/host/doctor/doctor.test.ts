/** `lydian doctor` and the start of `lydian up` on this host, and on hosts that lack something: parts of this one hidden. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chown, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { Program, temporaryFolder, until } from "@lydian/testkit";
import { Cgroups, probeHost } from "@lydian/worker";

const root = process.getuid?.() === 0 ? {} : { skip: "only root can hide parts of a host" };
const main = join(import.meta.dirname, "../../../packages/cli/src/main.ts");

/** Runs `lydian` where the shell commands have changed what it sees of this host; nobody else sees that. */
function lydian(args: readonly string[], hide = ":"): Promise<{ code: number; out: string; err: string }> {
  const command = [process.execPath, "--conditions=lydian-source", main, ...args];
  const shell = ["--mount", "sh", "-ec", `${hide}; exec "$@"`, "sh", ...command];
  return new Promise((resolve) => {
    execFile("unshare", shell, { timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

interface Report {
  ok: boolean;
  findings: { name: string; state: string; detail: string; remedy?: string }[];
}

async function doctor(data: string, hide?: string): Promise<Report & { code: number }> {
  const { code, out, err } = await lydian(["doctor", "--json", "--port", "0", "--data", data], hide);
  assert.ok(out.startsWith("{"), err);
  return { ...(JSON.parse(out) as Report), code };
}

const stateOf = (report: Report, name: string): string | undefined =>
  report.findings.find((finding) => finding.name === name)?.state;

/** What a look at the host could leave behind: mounts of the folder, nft tables, control groups. */
async function traces(folder: string): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const tables = await new Promise<string>((resolve) => {
    execFile("nft", ["list", "tables"], (_error, out) => resolve(out));
  });
  const groups = (await Cgroups.detect()).children("/lydian");
  return [
    ...mounts.filter((line) => line.includes(folder)),
    ...tables.split("\n").filter((line) => line.includes("lydian_prb")),
    ...(await groups).filter((name) => name.startsWith("probe-")),
  ];
}

test("the doctor covers what containers need, and leaves nothing behind", root, async () => {
  await using folder = await temporaryFolder();
  const report = await doctor(join(folder.path, "data"));
  const named = ["Kernel", "Rights", "Control groups", "Overlayfs", "User namespaces", "Id maps", "Seccomp", "runc"];
  for (const name of [...named, "conmon", "tini-static", "nftables", "Forwarding", "Disk", "Python", "Registry"])
    assert.notEqual(stateOf(report, name), undefined, name);
  for (const { name, state, remedy } of report.findings) assert.ok(state === "ok" || remedy !== undefined, name);
  assert.equal(report.code, report.ok ? 0 : 1);
  assert.deepEqual(await readdir(folder.path), []);
  const isClean = async (): Promise<boolean> => (await traces(folder.path)).length === 0;
  await until(5000, isClean, () => "mounts, tables or control groups are left"); // another test may look at this moment
});

test("the worker decides by the same answers that people are told", root, async () => {
  await using folder = await temporaryFolder();
  const host = await probeHost({ data: join(folder.path, "data", "worker") });
  const state = (name: string): string | undefined => host.findings.find((finding) => finding.name === name)?.state;
  assert.equal(host.isRoot, state("Rights") === "ok");
  assert.equal(host.cgroups !== undefined, state("Control groups") === "ok");
  assert.equal(host.overlay !== "none", state("Overlayfs") === "ok");
  assert.equal(host.userNamespaces, state("User namespaces") === "ok");
  assert.equal(host.idMaps, state("Id maps") === "ok");
  assert.equal(host.runc !== undefined, state("runc") === "ok");
  assert.equal(host.conmon !== undefined, state("conmon") === "ok");
  assert.equal(host.tini !== undefined, state("tini-static") === "ok");
});

/** How a host comes to lack something, and what is found then; nothing runs in containers without it, unless it is a warning. */
const lacks: Record<string, { hide: string; name: string; detail: RegExp; state?: string }> = {
  runc: { hide: hidden("runc"), name: "runc", detail: /is not on the PATH/ },
  conmon: { hide: hidden("conmon"), name: "conmon", detail: /is not on the PATH/ },
  nft: { hide: hidden("nft"), name: "nftables", detail: /nft is not on the PATH/ },
  "control groups": { hide: "umount -l /sys/fs/cgroup", name: "Control groups", detail: /no control groups mounted/ },
  Python: {
    hide: 'PATH=/usr/sbin:/usr/bin; for p in /usr/bin/python3*; do mount --bind /dev/null "$p"; done',
    name: "Python",
    detail: /no Python/,
  },
  "user namespaces": { hide: hidden("unshare"), name: "User namespaces", detail: /cannot be made/, state: "warning" },
};

function hidden(program: string): string {
  return `mount --bind /dev/null "$(command -v ${program})"`;
}

for (const [what, { hide, name, detail, state = "missing" }] of Object.entries(lacks)) {
  test(`a host without ${what} is told what to do, by the doctor and by the start`, root, async () => {
    await using folder = await temporaryFolder();
    const report = await doctor(join(folder.path, "data"), hide);
    const finding = report.findings.find((candidate) => candidate.name === name);
    assert.equal(finding?.state, state);
    assert.match(finding?.detail ?? "", detail);
    assert.notEqual(finding?.remedy, undefined);
    assert.equal(stateOf(report, "Kernel"), "ok");
    if (state === "warning") return;
    assert.equal(report.code, 1);
    const { code, out, err } = await lydian(["up", "--port", "0", "--data", join(folder.path, "data")], hide);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, /^Error: (?:containers|functions) cannot run on this machine$/m);
    assert.ok(err.includes(`  ${name}: ${finding?.detail}\n    -> ${finding?.remedy}\n`), err);
    assert.equal(/^Hint: .*lydian up --runtime process$/m.test(err), name !== "Python", err);
  });
}

test("all that is missing is said at once", root, async () => {
  await using folder = await temporaryFolder();
  const hide = `${hidden("runc")}; ${hidden("nft")}`;
  const { err } = await lydian(["up", "--port", "0", "--data", join(folder.path, "data")], hide);
  assert.match(
    err,
    /^ {2}runc: .*\n {4}-> .*apt-get install runc\n {2}nftables: .*\n {4}-> .*apt-get install nftables/m,
  );
});

const someone = { uid: 65_534, gid: 65_534 };

test("a user without root is told that containers need it, and what works without", root, async (t) => {
  await using node = new Program(process.execPath, ["--version"], { as: someone });
  if ((await node.finish()).code !== 0) return t.skip("other users cannot run this checkout");
  await using folder = await temporaryFolder();
  await chown(folder.path, someone.uid, someone.gid);
  const run = (command: string): Program => {
    const args = ["--conditions=lydian-source", main, command, "--port", "0", "--data", join(folder.path, "data")];
    return new Program(process.execPath, args, { as: someone, env: { PATH: process.env["PATH"], HOME: folder.path } });
  };
  await using up = run("up");
  await up.finishWith(1);
  assert.match(up.stderr, /^ {2}Rights: this is user 65534, and containers need root\n {4}-> .*sudo$/m);
  assert.match(up.stderr, /^Hint: .*lydian up --runtime process$/m);
  await using doctors = run("doctor");
  assert.match(await doctors.finishWith(1), /^missing +Rights +this is user 65534, and containers need root$/m);
});

test("a data folder that cannot be written cannot hold layers either", root, async () => {
  await using folder = await temporaryFolder();
  const report = await doctor(folder.path, `mount -t tmpfs -o ro none ${folder.path}`);
  assert.equal(stateOf(report, "Overlayfs"), "missing");
  assert.equal(stateOf(report, "Data folder"), "missing");
});

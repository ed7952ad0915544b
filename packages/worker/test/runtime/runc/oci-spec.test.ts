import assert from "node:assert/strict";
import test from "node:test";

import { ociSpec, type SpecRequest } from "../../../src/runtime/runc/oci-spec.ts";

const request: SpecRequest = {
  process: { argv: ["/usr/local/bin/python", "-c", "pass"], env: { A: "1", EMPTY: "" }, cwd: "/root" },
  memoryMib: 128,
  oomScoreAdj: 500,
  root: "/run/lydian/i/c/ta-1/merged",
  hostname: "short",
  cgroupsPath: "/lydian/i/ta-1",
  network: { netns: "/run/netns/ly-i-1", userns: "/run/userns/ly-i-1", base: 1_000_000 },
  binds: [{ source: "/host/packages", path: "/pkg", executable: true }],
  host: { init: "/usr/bin/tini-static", maxOpenFiles: 20_000, processor: "x64", filesOfRoot: ["/proc/of_this_kernel"] },
};

test("a container gets namespaces of its own, and the pair of its slot by path", () => {
  const { linux } = ociSpec(request);
  assert.deepEqual(
    new Map(linux.namespaces.map(({ type, path }) => [type, path])),
    new Map([
      ...["pid", "ipc", "uts", "mount", "cgroup"].map((type) => [type, undefined] as const),
      ["user", "/run/userns/ly-i-1"],
      ["network", "/run/netns/ly-i-1"],
    ]),
  );
  assert.deepEqual(linux.uidMappings, [{ containerID: 0, hostID: 1_000_000, size: 65_536 }]);
  assert.deepEqual(linux.gidMappings, linux.uidMappings);
  assert.equal(linux.rootfsPropagation, "rslave");
});

test("what this kernel has for its root alone is hidden, with what every kernel has", () => {
  const { maskedPaths } = ociSpec(request).linux;
  for (const path of ["/proc/of_this_kernel", "/proc/kpageflags"]) assert.ok(maskedPaths.includes(path), path);
});

test("without user namespaces there is no mapping", () => {
  const { linux } = ociSpec({ ...request, network: { ...request.network, userns: undefined, base: 0 } });
  assert.equal(linux.uidMappings, undefined);
  assert.ok(linux.namespaces.every(({ type }) => type !== "user"));
});

test("the process has fourteen capabilities, no new privileges, and no more files than the worker may have", () => {
  const { process } = ociSpec(request);
  assert.deepEqual(process.args, ["/run/lydian/init", "-g", "--", ...request.process.argv]);
  assert.deepEqual(process.env, ["A=1", "EMPTY="]);
  assert.equal(process.noNewPrivileges, true);
  assert.equal(process.capabilities.bounding.length, 14);
  assert.ok(!process.capabilities.bounding.includes("CAP_SYS_ADMIN"));
  assert.deepEqual(Object.keys(process.capabilities).sort(), ["bounding", "effective", "permitted"]);
  assert.deepEqual(process.rlimits, [
    { type: "RLIMIT_CORE", hard: 1, soft: 1 },
    { type: "RLIMIT_NOFILE", hard: 20_000, soft: 20_000 },
  ]);
});

test("every mount is closed as far as it can be, and nothing of the host's is writable", () => {
  const { mounts } = ociSpec(request);
  const optionsOf = new Map(mounts.map(({ destination, options }) => [destination, options]));
  assert.deepEqual(optionsOf.get("/pkg"), ["bind", "ro", "nosuid", "nodev"]);
  assert.deepEqual(optionsOf.get("/run/lydian/init"), ["bind", "ro", "nosuid", "nodev"]);
  for (const path of ["/sys", "/sys/fs/cgroup"]) assert.ok(optionsOf.get(path)?.includes("ro"), path);
  assert.ok(optionsOf.get("/dev/shm")?.includes(`size=${128 * 1024 * 1024}`));
  for (const { destination, options } of mounts) assert.ok(options.includes("nosuid") || destination === "/dev/pts");
  for (const { type, options } of mounts) assert.ok(type !== "bind" || options.includes("ro"));
});

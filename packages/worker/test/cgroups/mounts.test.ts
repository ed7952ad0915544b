import assert from "node:assert/strict";
import { it } from "node:test";

import { parseMountinfo } from "../../src/cgroups/mounts.ts";

it("finds one tree of version 2", () => {
  const text = `24 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`;
  assert.deepEqual(parseMountinfo(text), { hierarchies: [], unified: "/sys/fs/cgroup" });
});

it("finds what each hierarchy of version 1 carries, and the tree of version 2 beside them", () => {
  const text = `31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
33 31 0:30 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:12 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/cpuset rw,nosuid shared:13 - cgroup cgroup rw,cpuset,clone_children
36 31 0:33 / /sys/fs/cgroup/memory\\040and\\040more rw,nosuid - cgroup cgroup rw,memory
`;
  assert.deepEqual(parseMountinfo(text), {
    hierarchies: [
      { folder: "/sys/fs/cgroup/systemd", carries: ["name=systemd"] },
      { folder: "/sys/fs/cgroup/cpu,cpuacct", carries: ["cpu", "cpuacct"] },
      { folder: "/sys/fs/cgroup/cpuset", carries: ["cpuset"] },
      { folder: "/sys/fs/cgroup/memory and more", carries: ["memory"] },
    ],
    unified: "/sys/fs/cgroup/unified",
  });
});

it("counts a hierarchy once that is mounted again elsewhere", () => {
  const text = `34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
90 80 0:31 / /var/lib/machines/a/sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
91 80 0:26 / /var/lib/machines/a/sys/fs/cgroup rw - cgroup2 cgroup2 rw
`;
  const { hierarchies, unified } = parseMountinfo(text);
  assert.deepEqual(hierarchies, [{ folder: "/sys/fs/cgroup/cpu", carries: ["cpu"] }]);
  assert.equal(unified, "/sys/fs/cgroup/unified");
});

/**
 * Known ways out of a container, each of which says "closed", and "open" when its guards are taken away: a check that
 * cannot fail shows nothing.
 *
 * Perl, which every Debian has, makes system calls by number (x86_64).
 */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, it } from "node:test";

import type { OciSpec } from "@lydian/worker/src/runtime/runc/oci-spec";
import { needsContainers, type Rig, sharedRig } from "./rig.ts";

type Guard = (spec: OciSpec) => OciSpec;

const linux = (spec: OciSpec, parts: Partial<OciSpec["linux"]>): OciSpec => ({
  ...spec,
  linux: { ...spec.linux, ...parts },
});
const withoutNamespace = (type: string): Guard => {
  return (spec) => linux(spec, { namespaces: spec.linux.namespaces.filter((one) => one.type !== type) });
};
const options = (path: string, change: (options: readonly string[]) => readonly string[]): Guard => {
  const mounts = (spec: OciSpec): OciSpec["mounts"] =>
    spec.mounts.map((mount) => (mount.destination === path ? { ...mount, options: change(mount.options) } : mount));
  return (spec) => ({ ...spec, mounts: mounts(spec) });
};

const noSeccomp: Guard = (spec) => {
  const { seccomp: _, ...rest } = spec.linux;
  return { ...spec, linux: rest as OciSpec["linux"] };
};
const moreCapabilities: Guard = (spec) => {
  const bounding = [...spec.process.capabilities.bounding, "CAP_SYS_ADMIN", "CAP_NET_ADMIN"];
  return {
    ...spec,
    process: { ...spec.process, capabilities: { bounding, effective: bounding, permitted: bounding } },
  };
};
const noMasks: Guard = (spec) => linux(spec, { maskedPaths: [] });
const noReadonlyPaths: Guard = (spec) => linux(spec, { readonlyPaths: [] });
const allDevices: Guard = (spec) => linux(spec, { resources: { devices: [{ allow: true, access: "rwm" }] } });
const newPrivileges: Guard = (spec) => ({ ...spec, process: { ...spec.process, noNewPrivileges: false } });
const writable = (path: string): Guard => options(path, (all) => all.filter((option) => option !== "ro"));

/** A system call by its number on x86_64; "open" when it succeeds. */
const call = (...args: (number | string)[]): string => {
  return `perl -e 'print syscall(${args.join(", ")}) == -1 ? "closed $!" : "open"'`;
};
const cloneNewUser = 0x1000_0000;

interface Escape {
  what: string;
  script: string;
  /** What closes it: with all of these taken away it is open. */
  guards: Guard[];
  /** Root inside is root outside, as on hosts whose kernel cannot map ids. */
  userns: boolean;
}

const escapes: Escape[] = [
  { what: "a namespace of one's own", script: call(272, cloneNewUser), guards: [noSeccomp], userns: true },
  { what: "the host's key rings", script: call(250, 0, -4, 1), guards: [noSeccomp], userns: true },
  {
    what: "a mount",
    script: call(165, "my $none = q(none)", "my $at = q(/mnt)", "my $kind = q(tmpfs)", 0, 0),
    guards: [noSeccomp, moreCapabilities],
    userns: true,
  },
  {
    what: "another namespace, entered",
    script: `perl -e 'open my $ns, "<", "/proc/self/ns/uts"; print syscall(308, fileno $ns, 0) == -1 ? "closed" : "open"'`,
    guards: [noSeccomp, moreCapabilities],
    userns: true,
  },
  {
    what: "the kernel's network settings",
    script: "{ echo 65 > /proc/sys/net/ipv4/ip_default_ttl; } 2>/dev/null && echo open || echo closed",
    guards: [noReadonlyPaths, moreCapabilities],
    userns: true,
  },
  {
    what: "the kernel's settings",
    script: "{ cat /proc/sys/kernel/panic > /proc/sys/kernel/panic; } 2>/dev/null && echo open || echo closed",
    guards: [noReadonlyPaths],
    userns: false,
  },
  {
    what: "the host's interrupts",
    script: "[ -s /proc/interrupts ] || grep -q . /proc/interrupts && echo open || echo closed",
    guards: [noMasks],
    userns: true,
  },
  {
    what: "a control group of one's own",
    script:
      'mkdir "$(ls -d /sys/fs/cgroup /sys/fs/cgroup/memory 2>/dev/null | tail -1)/mine" 2>/dev/null && echo open || echo closed',
    guards: [writable("/sys/fs/cgroup")],
    userns: false,
  },
  {
    what: "the host's devices by a node of one's own: the kernel's log",
    script:
      "mknod /dev/log-of-all c 1 11 && { cat /dev/null > /dev/log-of-all; } 2>/dev/null && echo open || echo closed",
    guards: [allDevices],
    userns: false,
  },
  {
    what: "the host's processes",
    script: "[ $$ -eq 1 ] && echo closed || echo open",
    guards: [withoutNamespace("pid")],
    userns: false,
  },
  {
    what: "rights by a set-user-id program",
    script: "grep -q 'NoNewPrivs:.*1' /proc/self/status && echo closed || echo open",
    guards: [newPrivileges],
    userns: true,
  },
  {
    what: "files of the platform's",
    script: "{ echo x > /etc/hostname; } 2>/dev/null && echo open || echo closed",
    guards: [writable("/etc/hostname")],
    userns: false,
  },
];

for (const userns of [true, false]) {
  describe(`a container ${userns ? "with" : "without"} a user namespace cannot get at`, needsContainers, () => {
    const shared = sharedRig({ userns });
    for (const { what, script, guards } of escapes.filter((escape) => escape.userns === userns)) {
      it(what, async () => {
        assert.match(await answer(shared.rig, script, []), /^closed/);
        assert.match(await answer(shared.rig, script, guards), /^open/);
        // Each of several guards is enough.
        for (const guard of guards.length > 1 ? guards : []) {
          assert.match(await answer(shared.rig, script, [guard]), /^closed/);
        }
      });
    }
    it("the host's own ports", async () => {
      const server = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      const { port } = server.address() as { port: number };
      const script = `python3 -c "
import socket
print('open' if socket.socket().connect_ex(('127.0.0.1', ${port})) == 0 else 'closed')"`;
      try {
        assert.match(await answer(shared.rig, script, []), /^closed/);
        // The network's namespace belongs to the user namespace of its slot: without it there is none of either.
        const guards = userns ? [withoutNamespace("network"), hostSys] : [withoutNamespace("network")];
        assert.match(await answer(shared.rig, script, guards), /^open/);
      } finally {
        server.close();
      }
    });
  });
}

/** A fresh /sys can be had only in a network namespace of one's own. */
function hostSys(spec: OciSpec): OciSpec {
  return { ...spec, mounts: spec.mounts.filter(({ destination }) => !destination.startsWith("/sys")) };
}

async function answer(rig: Rig, script: string, without: readonly Guard[]): Promise<string> {
  rig.guards.amend = (spec) => without.reduce((amended, guard) => guard(amended), spec);
  try {
    const { output, end, log } = await rig.run(script);
    assert.equal(end.reason, "exited", log);
    return output.trim() === "" ? log : output.trim();
  } finally {
    rig.guards.amend = (spec) => spec;
  }
}

/**
 * Links and device nodes that an image has cannot turn what the platform does for its containers against the host: not
 * where mounted files are laid, nor where runc mounts, nor the working directory.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync, symlinkSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { create, toBinary } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { PlatformError, systemClock } from "@lydian/kit";
import type { ContainerPlace } from "@lydian/worker/src/container/folder";
import { layMounts } from "@lydian/worker/src/container/mounts";
import { ContentCache } from "@lydian/worker/src/content";
import type { OciSpec } from "@lydian/worker/src/runtime/runc/oci-spec";
import type { Layout } from "@lydian/worker/src/runtime/runtime";

import { needsContainers, outputOf, type Rig, sharedRig } from "../rig.ts";
import { takeAway } from "./guards.ts";

const run = promisify(execFile);

/** A folder of the host's that a container's files must not reach, with a secret in it. */
class Victim implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<Victim> {
    const victim = new Victim(await mkdtemp(join(tmpdir(), "lydian-victim-")));
    await writeFile(join(victim.folder, "secret"), "the host's secret\n");
    return victim;
  }

  /** Whether it is as it was, and nothing is mounted on it. */
  async isUntouched(): Promise<boolean> {
    const names = await readdir(this.folder);
    const secret = await readFile(join(this.folder, "secret"), "utf8").catch(() => "gone");
    const mounts = await readFile("/proc/self/mountinfo", "utf8");
    return names.join() === "secret" && secret === "the host's secret\n" && !mounts.includes(` ${this.folder}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

/** A container that has been laid out, with its root as the host sees it. */
async function laid<T>(
  rig: Rig,
  work: (layout: Layout, root: string, place: ContainerPlace) => Promise<T>,
): Promise<T> {
  const place = await rig.place();
  try {
    const layout = await rig.lay(place);
    return await work(layout, rig.runtime.rootOf(place).root, place);
  } finally {
    rig.guards.amend = (spec) => spec;
    await rig.runtime.clear(place);
  }
}

/** Puts a link where the image may have something else. */
async function plant(root: string, path: string, target: string): Promise<void> {
  await rm(join(root, path), { recursive: true, force: true });
  await mkdir(dirname(join(root, path)), { recursive: true });
  await symlink(target, join(root, path));
}

const climb = "../".repeat(16);

/** What an image may have as a link in the way of a mounted file, to this folder of the host. */
const links: Record<string, (victim: string) => string> = {
  "an absolute link": (victim) => victim,
  "a relative link that climbs": (victim) => `${climb}${victim.slice(1)}`,
  "a link by way of a process's root": (victim) => `/proc/self/root${victim}`,
};

/** Lays one file, as the worker does. */
async function lay(rig: Rig, path: string, hostPath: (path: string) => string): Promise<void> {
  const content = new ContentCache({ data: rig.identity.data, doorFile: "/nowhere", clock: systemClock });
  const put = async (bytes: Uint8Array): Promise<string> => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const folder = join(rig.identity.data, "content", sha256.slice(0, 2));
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, sha256), bytes);
    return sha256;
  };
  const file = { path, sha256: await put(Buffer.from("laid\n")), size: 5n, mode: 0 };
  const manifest = toBinary(wire.ManifestSchema, create(wire.ManifestSchema, { files: [file] }));
  const mounts = [create(wire.MountSchema, { manifestSha256: await put(manifest) })];
  await layMounts(mounts, { content, places: { hostPath }, signal: AbortSignal.timeout(10_000) });
}

describe("a mounted file does not follow out of the root", needsContainers, () => {
  const shared = sharedRig({ userns: false }); // so that this test can put links into the root
  for (const [what, targetOf] of Object.entries(links)) {
    it(what, () =>
      laid(shared.rig, async (layout, root) => {
        await using victim = await Victim.make();
        await plant(root, "trap", targetOf(victim.folder));
        await lay(shared.rig, "/trap/laid", (path) => layout.hostPath(path));
        await layout.showFiles?.();
        assert.ok(await victim.isUntouched());
        await lay(shared.rig, "/trap/other", (path) => join(root, path));
        assert.ok(!(await victim.isUntouched()), "what is laid by the path alone lies there");
      }),
    );
  }

  it("a link in its own place", () =>
    laid(shared.rig, async (layout, root) => {
      await using victim = await Victim.make();
      const secret = join(victim.folder, "secret");
      await plant(root, "trap", secret);
      await lay(shared.rig, "/trap", (path) => layout.hostPath(path));
      await layout.showFiles?.();
      assert.ok(await victim.isUntouched());
      await writeFile(join(root, "trap"), "written");
      assert.ok(!(await victim.isUntouched()), "what is written by the path alone goes through");
    }));

  it("names that climb, nor into what is the system's", () =>
    laid(shared.rig, async (layout) => {
      for (const path of ["/root/../../etc/x", "/..", "relative"]) {
        await assert.rejects(
          lay(shared.rig, path, (path) => layout.hostPath(path)),
          /not absolute and plain/,
        );
      }
      for (const path of ["/proc/1/x", "/dev/null", "/sys/x", "/run/lydian/door/s"]) {
        await assert.rejects(
          lay(shared.rig, path, (path) => layout.hostPath(path)),
          /the system's/,
        );
      }
    }));
});

/** Where runc mounts or enters, as links that the image has there. */
const traps: { path: string; to: (victim: string) => string }[] = [
  ...["etc/resolv.conf", "etc/hostname"].map((path) => ({ path, to: (victim: string) => join(victim, "secret") })),
  { path: "etc/hosts", to: (victim) => join(victim, "fresh") },
  ...["run", "pkg", "proc", "sys", "dev", "root"].map((path) => ({ path, to: (victim: string) => victim })),
  ...["run", "dev", "root"].map((path) => ({ path, to: (victim: string) => `${climb}${victim.slice(1)}` })),
  // Where runc, which has descriptors of the host's open, changes into the working directory.
  ...[3, 4, 5, 6, 7, 8, 9, 10].map((fd) => ({ path: "root", to: () => `/proc/self/fd/${fd}` })),
];

/** What a container says that looks for the victim from where it is, and writes wherever something is mounted. */
async function intrude(rig: Rig, layout: Layout, place: ContainerPlace, victim: Victim): Promise<string> {
  await layout.addFolder("pkg", rig.identity.data);
  const ways = ["secret", `${climb}${victim.folder.slice(1)}/secret`, join(victim.folder, "secret")];
  const script = `cat ${ways.join(" ")}; touch fresh /run/fresh /dev/fresh /pkg/fresh; echo x > /etc/hosts`;
  try {
    const process = await rig.start(place, `{ ${script}; } 2>/dev/null; exit 0`);
    await process.end;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error; // runc has refused it
  }
  return outputOf(await readFile(place.logFile, "utf8"));
}

describe("runc does not follow out of the root", needsContainers, () => {
  const shared = sharedRig({ userns: false });
  for (const { path, to } of traps) {
    it(`/${path} -> ${to("/VICTIM")}`, () =>
      laid(shared.rig, async (layout, root, place) => {
        await using victim = await Victim.make();
        await plant(root, path, to(victim.folder));
        assert.doesNotMatch(await intrude(shared.rig, layout, place, victim), /the host's secret/);
        assert.ok(await victim.isUntouched());
      }));
  }

  it("/dev -> /VICTIM is what the worker sees to, where runc does not", (t) =>
    laid(shared.rig, async (layout, root, place) => {
      await using victim = await Victim.make();
      shared.rig.guards.amend = (spec) => {
        // After the worker's look.
        rmSync(join(root, "dev"), { recursive: true });
        symlinkSync(victim.folder, join(root, "dev"));
        return spec;
      };
      await intrude(shared.rig, layout, place, victim);
      if (await victim.isUntouched()) t.skip("this runc sees to it, too");
    }));

  it("which shows, as it does when a container is begun in a folder of the host's", () =>
    laid(shared.rig, async (layout, _root, place) => {
      await using victim = await Victim.make();
      const leak = { destination: "/leak", type: "bind", source: victim.folder, options: ["bind"] };
      shared.rig.guards.amend = (spec) => ({
        ...spec,
        mounts: [...spec.mounts, leak],
        process: { ...spec.process, cwd: "/leak" },
      });
      assert.match(await intrude(shared.rig, layout, place, victim), /the host's secret/);
      assert.ok(!(await victim.isUntouched()));
    }));
});

describe("device nodes that an image has", needsContainers, () => {
  const shared = sharedRig({ userns: false });
  const open = "{ cat /dev/null > /root/log-of-all; } 2>/dev/null && echo open || echo closed";

  /** The root as the container gets it, and what it says of a node of the kernel's log there. */
  const says = (amend: (spec: OciSpec) => OciSpec, withDevices: boolean): Promise<string> =>
    laid(shared.rig, async (_layout, root, place) => {
      await run("mknod", [join(root, "root/log-of-all"), "c", "1", "11"]);
      if (withDevices) await run("mount", ["-o", "remount,bind,dev", root]);
      shared.rig.guards.amend = amend;
      const process = await shared.rig.start(place, open);
      await process.end;
      return outputOf(await readFile(place.logFile, "utf8"));
    });

  it("open nothing, for the root allows none and the filter of devices neither", async () => {
    const same = (spec: OciSpec): OciSpec => spec;
    const anyDevice = takeAway(["devices"]);
    assert.equal(await says(same, false), "closed\n");
    assert.equal(await says(anyDevice, true), "open\n");
    assert.equal(await says(anyDevice, false), "closed\n");
    assert.equal(await says(same, true), "closed\n");
  });
});

describe("nobody else on the host", needsContainers, () => {
  const shared = sharedRig();
  it("gets at a container's root, whose programs may be set-user-id", () =>
    laid(shared.rig, async (_layout, root) => {
      const look = (): Promise<unknown> =>
        run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "ls", root]);
      await assert.rejects(look(), /Permission denied/);
      await chmod(dirname(root), 0o711);
      await look();
    }));
});

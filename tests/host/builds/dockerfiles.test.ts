/** Images made of Dockerfiles, step by step in real containers: what each instruction does, and how a failure reads. */
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";

import * as wire from "@lydian/contract/worker";
import { systemClock } from "@lydian/kit";
import { mostLayers } from "@lydian/worker/src/builds/step-host";
import { followLog } from "@lydian/worker/src/container/log-tail";

import type { BaseImage } from "@lydian/worker/src/images/index";

import { pack } from "tar-stream";

import { needsContainers, sharedRig } from "../runc/rig.ts";
import { BuildRig } from "./rig.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function tarOf(files: Record<string, string>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  return await buffer(archive);
}

const shared = sharedRig();
let opened: Promise<BuildRig> | undefined;
const rig = (): Promise<BuildRig> => (opened ??= BuildRig.open(shared.rig));

describe("a Dockerfile", needsContainers, () => {
  it("becomes an image: commands, environment, folders, users, arguments", async () => {
    const builds = await rig();
    const { exit, imageId, said } = await builds.make({
      lines: [
        "ARG BASE=debian",
        "FROM $BASE",
        "ARG RUN", // of another run of the tests, steps would be taken from before
        "ARG GREETING=hello",
        "ENV WHO=world",
        "ENV WHO=others PLACE=\"the  $WHO\" OPEN='$WHO'",
        "WORKDIR /work/here",
        "RUN echo $GREETING $WHO > greeting && pwd",
        "WORKDIR deeper",
        'RUN ["/bin/sh", "-c", "id -u > id"]',
        "USER nobody",
        "RUN id -un && echo $HOME",
        'CMD ["sleep", "1"]',
      ],
      buildArgs: { GREETING: "good morning", RUN: String(Date.now()) },
    });
    assert.equal(exit.reason, wire.Exit_Reason.EXITED, exit.message);
    assert.equal(exit.code, 0, exit.message);
    assert.equal(said, "/work/here\nnobody\n/nonexistent\n");
    assert.equal(exit.built?.workdir, "/work/here/deeper");
    const shown = await builds.run(imageId, 'cat ../greeting id; pwd; echo "$PLACE-$OPEN-$GREETING-"');
    assert.match(shown, /^good morning others\n0\n\/work\/here\/deeper\nthe {2}world-\$WHO--\n$/);
  });

  it("is made once: equal steps are taken from before, also by another image, unless they are forced", async () => {
    const builds = await rig();
    const lines = ["FROM debian", `RUN echo ${Date.now()} > /made`, "RUN cat /made"];
    const first = await builds.make({ lines });
    const again = await builds.make({ lines });
    assert.match(again.told, /Step 1: RUN.*\(cached\)\n=> Step 2: RUN cat \/made \(cached\)/);
    assert.equal(again.said, "");
    assert.equal(await builds.run(again.imageId, "cat /made"), first.said);
    const longer = await builds.make({ lines: [...lines, "RUN echo more"] });
    assert.equal(longer.said, "more\n");
    const forced = await builds.make({ lines }, true);
    assert.equal(forced.said, first.said);
    assert.doesNotMatch(forced.told, /cached/);
  });

  it("copies from its context and from its other stages, and makes no stage that it does not need", async () => {
    const builds = await rig();
    const { exit, imageId } = await builds.make({
      lines: [
        "FROM debian AS unneeded",
        "RUN exit 1",
        "FROM debian AS tools",
        "RUN mkdir -p /out/deep && echo tool > /out/deep/tool && ln -s deep/tool /out/link && ln -s / /out/up",
        "FROM debian",
        "COPY app/*.txt /texts/",
        "COPY app /app",
        "COPY --chmod=600 --chown=nobody /app/a.txt /single",
        "COPY --from=tools /out /tools",
        "COPY . /all",
        "RUN ln -s /usr/share /hidden",
        "COPY app/a.txt /hidden/copied",
      ],
      contextFiles: [
        { path: "/app/a.txt", data: text("a") },
        { path: "/app/b.txt", data: text("b") },
        { path: "/app/sub/c.md", data: text("c") },
      ],
    });
    assert.equal(exit.code, 0, exit.message);
    const shown = await builds.run(
      imageId,
      "cd /; ls texts; cat app/sub/c.md; stat -c '%a %U' single; cat tools/link; readlink tools/up; ls all/app; cat usr/share/copied",
    );
    assert.equal(shown, "a.txt\nb.txt\nc600 nobody\ntool\n/\na.txt\nb.txt\nsub\na");
  });
});

describe("a build", needsContainers, () => {
  it("unpacks archives that it adds, and copies what is none", async () => {
    const builds = await rig();
    const archive = gzipSync(await tarOf({ "in/a": "a", "in/b": "b" }));
    const { exit, imageId } = await builds.make({
      lines: ["FROM debian", "ADD files.tar.gz /unpacked/", "ADD plain.gz /", "COPY files.tar.gz /"],
      contextFiles: [
        { path: "/files.tar.gz", data: archive },
        { path: "/plain.gz", data: gzipSync("plain") },
      ],
    });
    assert.equal(exit.code, 0, exit.message);
    assert.equal(await builds.run(imageId, "cat /unpacked/in/*; zcat /plain.gz; test -s /files.tar.gz"), "abplain");
  });

  it("leaves nothing of the platform or of the host's settings in its layers", async () => {
    const settings = {
      binds: [{ source: "/etc/hostname", path: "/etc/secret.conf" }],
      files: [{ path: "/etc/apt/apt.conf.d/00host", text: "Acquire::x 1;\n" }],
      environment: { PIP_INDEX_URL: "https://user:password@index.example" },
      ...{ warnings: [], sources: [], codename: "" },
    };
    const own = await BuildRig.open(shared.rig, { settings: async () => settings });
    const { exit, imageId, said } = await own.make({
      lines: ["FROM debian", "RUN echo $PIP_INDEX_URL $TOKEN; cat /etc/apt/apt.conf.d/00host; touch /done"],
      secrets: { TOKEN: "t0ken" },
      secretsIdentity: String(Date.now()),
    });
    assert.equal(exit.code, 0, exit.message);
    assert.equal(said, "https://user:password@index.example t0ken\nAcquire::x 1;\n");
    const [layer] = (await own.images.find(imageId))?.layers ?? [];
    assert.deepEqual(await readdir(layer?.diff ?? "", { recursive: true }), ["done"]);
  });
});

describe("a build that", needsContainers, () => {
  it("fails says which step, with what and how, and leaves nothing", async () => {
    const builds = await rig();
    const before = (await shared.rig.layers.list()).length;
    const { exit, told } = await builds.make({
      lines: ["FROM debian", "RUN echo fine; echo broken >&2; exit 7"],
    });
    assert.equal(exit.reason, wire.Exit_Reason.EXITED);
    assert.equal(exit.code, 1);
    assert.match(
      exit.message,
      /^Step 1: RUN echo fine; echo broken >&2; exit 7: the command exited with code 7\nfine\nbroken$/,
    );
    assert.match(told, /the command exited with code 7/);
    assert.equal((await shared.rig.layers.list()).length, before);
  });

  it("has a fault is refused in words", async () => {
    const builds = await rig();
    const failures: [lines: string[], RegExp][] = [
      [["RUN true"], /does not begin with FROM/],
      [["FROM debian", "FOO bar"], /line 2: FOO is no instruction/],
      [["FROM debian", "COPY a"], /line 2: COPY needs a source and a target/],
      [["FROM debian", "COPY ../../etc/passwd /x"], /leads out of what is copied from/],
      [["FROM debian", "COPY missing /x"], /there is no missing to copy/],
      [["FROM nowhere"], /there is no image nowhere/],
      [["FROM debian", "RUN ['x"], /exited with code/],
      [["FROM debian", "USER whoever", "RUN true"], /no user whoever/],
      [["FROM debian", "ADD http://nowhere.invalid/file /x"], /the command exited with code 1/],
      [["FROM debian", "ADD http://127.0.0.1:1/file /x"], /the command exited with code 1/],
    ];
    for (const [lines, message] of failures) {
      const { exit } = await builds.make({ lines });
      assert.equal(exit.code, 1, lines.join("; "));
      assert.match(exit.message, message);
    }
  });
});

describe("a build that cannot go on", needsContainers, () => {
  it("for want of the secrets of an image that is gone meanwhile is lost, and no layer is made without them", async () => {
    const builds = await rig();
    const gone: string[] = [];
    builds.images.onGone((id) => gone.push(id));
    const before = (await shared.rig.layers.list()).length;
    const imageId = builds.nextId();
    const base = {
      imageId,
      lines: ["FROM debian", `RUN echo $TOKEN ${Date.now()}`],
      secretsIdentity: "one",
      withheld: true,
    };
    const { exit } = await builds.make({ lines: ["FROM base"], bases: { base: imageId } }, false, [base]);
    assert.equal(exit.reason, wire.Exit_Reason.LOST);
    assert.match(
      exit.message,
      new RegExp(`image ${imageId}, which this one stands on, is not on this worker any more`),
    );
    assert.deepEqual(gone, [imageId]);
    assert.equal((await shared.rig.layers.list()).length, before);
  });

  it(`with more than ${mostLayers} layers is refused, and one with so many runs`, async () => {
    const { image, layers } = shared.rig;
    const below = mostLayers - 1 - image.layers.length;
    const empty = Array.from({ length: below }, (_, n) =>
      layers.make(`empty-${n}`, (diff) => writeFile(join(diff, `from-${n}`), "")),
    );
    const stack = [...(await Promise.all(empty)), ...image.layers];
    const resolve = async (name: string): Promise<BaseImage> => {
      const own = name === "deep" ? stack : [...stack, ...stack];
      return { layers: own, config: image.config, digest: name };
    };
    const standalonePython = (): never => assert.fail("nobody asks for one");
    const builds = await BuildRig.open(shared.rig, { bases: { resolve, standalonePython } });
    const { exit, imageId } = await builds.make({ lines: ["FROM deep", "RUN cat /etc/hostname > /top"] });
    assert.equal(exit.code, 0, exit.message);
    assert.equal(await builds.run(imageId, "ls / | grep -c from-; test -e /top && echo there"), `${below}\nthere\n`);
    const deeper = await builds.make({ lines: ["FROM deep", "RUN cat /etc/hostname > /top", "RUN true"] });
    assert.match(
      deeper.exit.message,
      /^Step 2: RUN true: the image has 128 layers, and 128 are the most .*\nlet fewer steps/,
    );
    const base = await builds.make({ lines: ["FROM deepest"] });
    assert.match(base.exit.message, /^deepest has 254 layers, and 128 are the most/);
  });

  it("once it is stopped ends at once and leaves nothing", async () => {
    const builds = await rig();
    const build = await builds.begin({ lines: ["FROM debian", "RUN echo on; sleep 600"] });
    const follow = { clock: systemClock, ended: build.gone, signal: AbortSignal.timeout(30_000) };
    for await (const { lines } of followLog(build.logFile, 0, follow)) {
      if (lines.some(({ stream, data }) => stream === "stdout" && String(data) === "on\n")) break;
    }
    await build.stop();
    if (!build.isGone) await new Promise((resolve) => build.gone.addEventListener("abort", resolve));
    assert.equal(build.exit?.reason, wire.Exit_Reason.STOPPED);
    await build.release();
  });
});

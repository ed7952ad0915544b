/** Copies of a server's folder while it works. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import { temporaryFolder, turns } from "@lydian/testkit";

import { copyDatabase, neededBy, serverFiles } from "../src/backup.ts";
import { checkContent } from "../src/content/check.ts";
import { DiskPlace } from "../src/content/disk-place.ts";
import { sha256Of } from "../src/content/digest.ts";
import { holdRemovals } from "../src/content/removal-lock.ts";
import { ContentScene } from "./content/content-scene.ts";
import { times } from "./content/mortal-content.ts";

async function stage() {
  const folder = await temporaryFolder();
  const scene = await ContentScene.begin(folder.path);
  return {
    folder: folder.path,
    scene,
    [Symbol.asyncDispose]: async () => {
      await scene.server.bury();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** What a backup has, by paths. */
async function backUp(folder: string, withKeys = false): Promise<{ copy: string; files: Map<string, string> }> {
  const copy = join(folder, "copy.sqlite");
  await copyDatabase(folder, copy);
  const files = new Map<string, string>();
  for await (const file of serverFiles(folder, { copy, place: new DiskPlace(join(folder, "content")), withKeys })) {
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of file.open()) {
      hash.update(chunk);
      size += chunk.length;
    }
    assert.equal(size, file.size);
    files.set(file.path, hash.digest("hex"));
  }
  return { copy, files };
}

describe("a backup", () => {
  it("has all that its database names, and nothing that came later, while volumes are written and content is collected", async () => {
    await using at = await stage();
    const { scene, folder } = at;
    const volume = await scene.volume();
    const replaced = await scene.upload();
    await scene.commit(volume, "a", replaced);
    for (let i = 0; i < 20; i++) await scene.commit(volume, `many/${i}`, await scene.upload());
    const unneeded = await scene.upload();
    using held = await holdRemovals(folder);
    const over = new AbortController();
    const others = (async () => {
      for (let i = 0; !over.signal.aborted; i++) {
        await scene.commit(volume, i % 2 === 0 ? "a" : `later/${i}`, await scene.upload());
        if (i % 5 === 0) await scene.clock.advance(times.contentKept + 1);
        if (i % 5 === 0) await scene.server.collector.collect({ isDry: false });
        await turns(1);
      }
    })();
    const { copy, files } = await backUp(folder);
    over.abort();
    await others;
    held[Symbol.dispose]();
    const { content } = await neededBy(copy, new DiskPlace(join(folder, "content")), () => new Set<string>());
    const copied = [...files].filter(([path]) => path.startsWith("content/"));
    assert.deepEqual(copied.map(([, digest]) => digest).toSorted(), [...content].toSorted());
    assert.ok(content.has(replaced) && content.size >= 21 && !content.has(unneeded));
    for (const [path, digest] of copied) assert.equal(path, `content/${digest.slice(0, 2)}/${digest}`);
  });

  it("has logs, and keys only when they are asked for", async () => {
    await using at = await stage();
    const { folder } = at;
    await mkdir(join(folder, "logs", "ap-1"), { recursive: true });
    const log = join("logs", "ap-1", "0.jsonl");
    for (const name of [log, "key", "secrets-key"]) await writeFile(join(folder, name), name);
    await writeFile(join(folder, "logs", "ap-1", "1.jsonl"), "");
    assert.deepEqual([...(await backUp(folder)).files.keys()].toSorted(), [log, join("logs", "ap-1", "1.jsonl")]);
    await using other = await stage();
    await writeFile(join(other.folder, "key"), "key");
    assert.deepEqual([...(await backUp(other.folder, true)).files.keys()], ["key"]);
  });

  it("keeps what is removed where it is, until it has ended", async () => {
    await using at = await stage();
    const { scene, folder } = at;
    await scene.upload();
    const collect = () => scene.server.collector.collect({ isDry: false });
    await collect();
    await scene.clock.advance(times.contentKept);
    {
      using _held = await holdRemovals(folder);
      assert.equal((await collect()).removed.files, 0);
      await scene.settle();
    }
    assert.equal((await scene.there()).size, 1);
    assert.equal((await collect()).removed.files, 1);
  });
});

describe("a check of content", () => {
  it("finds what is damaged and what is missing, and says whether something needs it", async () => {
    await using at = await stage();
    const { scene, folder } = at;
    const volume = await scene.volume();
    const [missing, spoilt, idle] = [await scene.upload(), await scene.upload(), await scene.upload()];
    await scene.commit(volume, "a", missing);
    await scene.commit(volume, "b", spoilt);
    const place = new DiskPlace(join(folder, "content"));
    const check = async () => {
      const { content } = await neededBy(join(folder, "store.sqlite"), place, () => new Set<string>());
      return await checkContent(place, content);
    };
    assert.deepEqual(await check(), { sound: { files: 3, bytes: 27 }, damaged: [] });
    await place.remove(sha256Of(missing));
    for (const sha256 of [spoilt, idle]) await writeFile(join(folder, "content", sha256.slice(0, 2), sha256), "other");
    const { damaged } = await check();
    assert.deepEqual(
      damaged.map(({ sha256, what, isNeeded }) => `${sha256} ${what} ${isNeeded}`).toSorted(),
      [
        `${missing} it is missing true`,
        `${spoilt} it is not what its name says true`,
        `${idle} it is not what its name says false`,
      ].toSorted(),
    );
  });
});

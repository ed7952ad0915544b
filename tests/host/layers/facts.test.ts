/** What a layer contains as a digest: everything that counts changes it, and damage is found, with whose it is. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmod,
  chown,
  cp,
  link,
  lutimes,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { silentLogger } from "@lydian/kit";
import { runLydian, until } from "@lydian/testkit";

import { readFacts, TreeReader, type TreeFacts } from "@lydian/worker/src/layers/index";
import { type Layer, LayerFacts, LayerStore, makeWhiteout, needsRoot, scratchFolder } from "./support.ts";

async function reader(t: TestContext): Promise<(root: string) => Promise<TreeFacts>> {
  const trees = new TreeReader();
  t.after(() => trees[Symbol.asyncDispose]());
  return (root) => trees.read(root);
}

const setAttribute = (path: string, name: string, value: string): void =>
  void execFileSync("python3", [
    "-c",
    "import os, sys; os.setxattr(*sys.argv[1:3], sys.argv[3].encode())",
    path,
    name,
    value,
  ]);

/** A tree with one of each. */
async function someTree(root: string): Promise<void> {
  await mkdir(join(root, "folder"), { recursive: true });
  await writeFile(join(root, "folder/file"), "content");
  await writeFile(join(root, "other"), "content");
  await link(join(root, "other"), join(root, "folder/linked"));
  await symlink("folder/file", join(root, "link"));
  await writeFile(join(root, "large"), Buffer.alloc(600_000, "large"));
  makeWhiteout(root, "folder/gone");
}

describe("the digest of a tree", needsRoot, () => {
  const changes: Record<string, (root: string) => Promise<void> | void> = {
    content: (root) => writeFile(join(root, "folder/file"), "c0ntent"),
    "a byte far within": async (root) => {
      await using file = await open(join(root, "large"), "r+");
      await file.write("x", 555_555);
    },
    "a file's end": (root) => truncate(join(root, "large"), 599_999),
    "zeros at the end": (root) => truncate(join(root, "large"), 700_000),
    "a mode": (root) => chmod(join(root, "folder"), 0o700),
    "an owner": (root) => chown(join(root, "other"), 0, 7),
    "an attribute": (root) => setAttribute(join(root, "folder/file"), "user.a", "1"),
    "a link's target": async (root) => {
      await rm(join(root, "link"));
      await symlink("folder/none", join(root, "link"));
    },
    "a hard link that is none any more": async (root) => {
      await rm(join(root, "folder/linked"));
      await cp(join(root, "other"), join(root, "folder/linked"));
    },
    "a name": (root) => rename(join(root, "other"), join(root, "another")),
    "a whiteout": (root) => rm(join(root, "folder/gone")),
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`changes with ${what}`, async (t) => {
      const [folder, read] = [await scratchFolder(t), await reader(t)];
      await someTree(folder);
      const before = await read(folder);
      assert.match(before.digest, /^tree1:[0-9a-f]{64}$/);
      await change(folder);
      assert.notEqual((await read(folder)).digest, before.digest);
    });
  }

  it("is the same for equal trees, whatever their times, and wherever a file has holes", async (t) => {
    const [folder, read] = [await scratchFolder(t), await reader(t)];
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    for (const tree of [a, b]) {
      await someTree(tree);
      await writeFile(join(tree, "holes"), tree === a ? Buffer.alloc(2 ** 20) : "");
      await truncate(join(tree, "holes"), 2 ** 20);
      await writeFile(Buffer.from(`${tree}/\xff\xfe`, "latin1"), "a name that is no text");
    }
    await lutimes(join(b, "link"), 1, 1);
    const [ofA, ofB] = [await read(a), await read(b)];
    assert.equal(ofA.digest, ofB.digest);
    assert.equal(ofA.bytes - ofB.bytes, 2 ** 20);
  });

  it("takes no time for a file that is said to be larger than any disk", async (t) => {
    const [folder, read] = [await scratchFolder(t), await reader(t)];
    await writeFile(join(folder, "vast"), "begins");
    await truncate(join(folder, "vast"), 2 ** 43);
    const { digest, bytes } = await read(folder);
    assert.ok(bytes < 2 ** 20);
    await using file = await open(join(folder, "vast"), "r+");
    await file.write("x", 2 ** 42);
    assert.notEqual((await read(folder)).digest, digest);
  });

  it("cannot be had of a tree that is not there", async (t) => {
    const read = await reader(t);
    await assert.rejects(read("/no/such/folder"), /ENOENT/);
    assert.match((await read(await scratchFolder(t))).digest, /^tree1:/, "and the next can");
  });
});

describe("layers", needsRoot, () => {
  it("are read when they are made, or by the next worker", async (t) => {
    const store = await LayerStore.open(await scratchFolder(t));
    const early = await store.make("early", someTree);
    const facts = new LayerFacts({ layers: store, logger: silentLogger });
    await facts.start();
    t.after(() => facts.close());
    const late = await store.make("late", someTree);
    const areRead = async (): Promise<boolean> =>
      (await readFacts(early)) !== undefined && (await readFacts(late)) !== undefined;
    await until(10_000, areRead, () => "they are not read");
    assert.equal((await readFacts(early))?.digest, (await readFacts(late))?.digest);
    assert.equal((await facts.sizes([early])).get("early"), (await readFacts(early))?.bytes);
  });

  it("that are damaged are found by the doctor, with the images that they are of and what to do", async (t) => {
    const cache = await scratchFolder(t);
    const store = await LayerStore.open(join(cache, "images", "layers"));
    const made: Layer[] = [];
    for (const id of ["sound", "damaged", "loose", "unread"]) made.push(await store.make(id, someTree));
    const facts = new LayerFacts({ layers: store, logger: silentLogger });
    await facts.start();
    await until(
      10_000,
      async () => (await readFacts(made[3]!)) !== undefined,
      () => "they are not read",
    );
    await facts.close();
    await rm(join(store.folder, "unread", "facts.json"));
    const record = join(cache, "im-1.json");
    await writeFile(record, JSON.stringify({ layers: ["damaged", "sound"] }));
    await store.holdFor(record, [made[0]!, made[1]!]);
    const deep = async (): Promise<{ code: unknown; findings: Finding[] }> => {
      const { code, out } = await doctor(cache);
      const { findings } = JSON.parse(out) as { findings: Finding[] };
      return { code, findings: findings.filter(({ name }) => name.startsWith("Layer")) };
    };
    const before = await deep();
    assert.deepEqual(
      before.findings.map(({ state }) => state),
      ["warning"],
    );
    assert.match(
      before.findings[0]?.detail ?? "",
      /^3 \([\d.]+ MB\) are what they were .*; 1 were never read, such as unread$/,
    );

    for (const layer of [made[1]!, made[2]!])
      await writeFile(join(layer.diff, "large"), Buffer.alloc(600_000, "Large"));
    const { code, findings } = await deep();
    assert.equal(code, 1);
    const [summary, ...damaged] = findings;
    assert.match(summary?.detail ?? "", /^1 \(.* when they were made, and 2 not$/);
    const [damage, loose] = damaged.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual([damage?.name, damage?.state], ["Layer damaged", "missing"]);
    assert.match(damage?.detail ?? "", /it is not what it was when it was made; it is part of im-1$/);
    assert.match(damage?.remedy ?? "", /`lydian gc --image im-1`: .*\(MODAL_FORCE_BUILD=1/);
    assert.match(`${loose?.name} ${loose?.detail}: ${loose?.remedy}`, /^Layer loose .*; no image has it: lydian gc/);
    assert.equal(
      await readFile(record, "utf8"),
      JSON.stringify({ layers: ["damaged", "sound"] }),
      "nothing was changed",
    );
  });
});

interface Finding {
  name: string;
  state: string;
  detail: string;
  remedy?: string;
}

/** Its other findings are about this host, and no matter. */
async function doctor(cache: string): Promise<{ code: unknown; out: string }> {
  const args = ["doctor", "--deep", "--json", "--runtime", "process", "--port", "0", "--data", join(cache, "data")];
  await using program = runLydian(args, { LYDIAN_CACHE: cache });
  const { code } = await program.finish(60_000);
  return { code, out: program.stdout };
}

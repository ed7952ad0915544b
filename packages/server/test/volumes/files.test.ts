/** Volumes as the clients make, fill, read, change and lose them: over the RPCs, and in the store. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";

import { ObjectCreationType as Type, VolumeFsVersion } from "@lydian/contract";

import { type ErrorCode, isFail } from "../../src/errors.ts";
import { rangesOf } from "../../src/volumes/piece-links.ts";
import { World, rpc } from "../support/world.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

const user = { kind: "user", tokenId: "ak-owner" } as const;

/** A world whose user has a volume. */
async function begin(version: VolumeFsVersion = VolumeFsVersion.V1) {
  const world = await World.begin();
  const make = (deploymentName: string, objectCreationType: Type, more = {}) =>
    world.asUser(rpc.volumeGetOrCreate, { deploymentName, objectCreationType, version, ...more });
  const { volumeId } = await make("data", Type.CREATE_IF_MISSING);
  const put = async (files: Record<string, string>, force = false): Promise<void> => {
    const given = [];
    for (const [filename, text] of Object.entries(files)) {
      const data = Buffer.from(text);
      const sha256Hex = createHash("sha256").update(data).digest("hex");
      await world.asUser(rpc.mountPutFile, { sha256Hex, dataOneof: { case: "data", value: data } });
      given.push({ filename, sha256Hex });
    }
    await world.asUser(rpc.volumePutFiles, { volumeId, files: given, disallowOverwriteExistingFiles: !force });
  };
  const list = (path: string, recursive = false, more = {}): Promise<string[]> =>
    world.repeating(async (server) => {
      const found: string[] = [];
      const request = { volumeId, path, recursive, ...more };
      const from = { caller: user, idempotencyKey: world.newKey() };
      for await (const { entries } of server.stream(rpc.volumeListFiles, request, from)) {
        found.push(...entries.map((entry) => entry.path));
      }
      return found;
    });
  const remove = (path: string, recursive = false) => world.asUser(rpc.volumeRemoveFile, { volumeId, path, recursive });
  const copy = (srcPaths: string[], dstPath: string, recursive = false) =>
    world.asUser(rpc.volumeCopyFiles2, { volumeId, srcPaths, dstPath, recursive });
  return { world, volumeId, make, put, list, remove, copy, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

describe("a volume", () => {
  it("is found by its name, with the version that it was made with", async () => {
    await using it = await begin(VolumeFsVersion.V2);
    const found = await it.make("data", Type.UNSPECIFIED, { version: VolumeFsVersion.V1 });
    assert.equal(found.volumeId, it.volumeId);
    assert.equal(found.metadata?.version, VolumeFsVersion.V2);
    const { metadata } = await it.world.asUser(rpc.volumeGetById, { volumeId: it.volumeId });
    assert.deepEqual(metadata, found.metadata);
    assert.equal(metadata?.creationInfo?.createdBy, "home");
    const old = await it.make("old", Type.CREATE_IF_MISSING, { version: VolumeFsVersion.UNSPECIFIED });
    assert.equal(old.metadata?.version, VolumeFsVersion.V1);
    await assert.rejects(it.make("data", Type.CREATE_FAIL_IF_EXISTS), fails("alreadyExists", /"data" exists already/));
    await assert.rejects(
      it.make("none", Type.UNSPECIFIED),
      fails("notFound", /"none".*"main".*modal volume create none/),
    );
    await assert.rejects(it.make("a b", Type.CREATE_IF_MISSING), fails("invalidArgument", /"a b" cannot be/));
    await assert.rejects(it.make("", Type.ANONYMOUS_OWNED_BY_APP), fails("invalidArgument", /not made in the way/));
  });

  it("is listed, renamed and deleted; its name is free then, and its files go", async () => {
    await using it = await begin();
    await it.make("other", Type.CREATE_IF_MISSING);
    await it.put({ "/a/b": "1" });
    const names = async (): Promise<string[]> =>
      (await it.world.asUser(rpc.volumeList, {})).items.map(({ label }) => label);
    assert.deepEqual(await names(), ["other", "data"]);
    const rename = (name: string) => it.world.asUser(rpc.volumeRename, { volumeId: it.volumeId, name });
    await assert.rejects(rename("other"), fails("alreadyExists", /"other" exists already/));
    await rename("new");
    assert.deepEqual(await names(), ["other", "new"]);
    await it.world.asUser(rpc.volumeDelete, { volumeId: it.volumeId });
    assert.deepEqual(await names(), ["other"]);
    await assert.rejects(it.list("/"), fails("notFound", /Volume "new" was deleted/));
    assert.notEqual((await it.make("new", Type.CREATE_IF_MISSING)).volumeId, it.volumeId);
    await it.world.clock.advance(120_000);
    const server = await it.world.server();
    const left = await server.store.read((tx) => tx.volumes.below(it.volumeId, "", 1, { after: "", limit: 9 }));
    assert.deepEqual(left, []);
  });

  it("that is ephemeral lives as long as it is heard of", async () => {
    await using it = await begin();
    const { volumeId } = await it.make("", Type.EPHEMERAL);
    assert.deepEqual((await it.world.asUser(rpc.volumeList, {})).items.length, 1);
    const get = () => it.world.asUser(rpc.volumeGetById, { volumeId });
    for (let i = 0; i < 5; i++) {
      await it.world.clock.advance(300_000);
      await it.world.asUser(rpc.volumeHeartbeat, { volumeId });
    }
    await get();
    await it.world.clock.advance(901_000);
    await assert.rejects(get(), fails("notFound", /was deleted/));
  });
});

describe("the files of a volume", () => {
  it("are listed as a folder, with all below it, or as one file", async () => {
    await using it = await begin();
    await it.put({ "/a/b/c": "1", "a/d": "2", e: "3" });
    assert.deepEqual(await it.list("/"), ["a", "e"]);
    assert.deepEqual(await it.list("a"), ["a/b", "a/d"]);
    assert.deepEqual(await it.list("/a/", true), ["a/b", "a/b/c", "a/d"]);
    assert.deepEqual(await it.list("", true, { maxEntries: 2 }), ["a", "a/b"]);
    assert.deepEqual(await it.list("/a/./x/../d"), ["a/d"]);
    await assert.rejects(it.list("nothing"), fails("notFound", /nothing: there is no such file.*"data"/));
    await assert.rejects(it.list("../etc"), fails("invalidArgument", /leads out/));
  });

  it("are listed as of one moment, whatever is committed meanwhile", async () => {
    await using it = await begin();
    const many = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`f${String(i).padStart(4, "0")}`, "same"]));
    await it.put(many);
    const server = await it.world.server();
    const request = { volumeId: it.volumeId, path: "/" };
    const seen: string[] = [];
    for await (const { entries } of server.stream(rpc.volumeListFiles2, request, {
      caller: user,
      idempotencyKey: "k",
    })) {
      if (seen.length === 0) await it.remove("f1400");
      seen.push(...entries.map(({ path }) => path));
    }
    assert.equal(seen.length, 1500);
    assert.equal((await it.list("/")).length, 1499);
  });

  it("are not replaced unless that is asked for, and then all or none", async () => {
    await using it = await begin();
    await it.put({ a: "1" });
    await assert.rejects(it.put({ b: "2", a: "2" }), fails("alreadyExists", /a: there is a file.*--force/));
    assert.deepEqual(await it.list("/"), ["a"]);
    await it.put({ b: "2", a: "2" }, true);
    assert.deepEqual(await it.list("/"), ["a", "b"]);
  });

  it("are copied and removed as cp and rm do", async () => {
    await using it = await begin(VolumeFsVersion.V2);
    await it.put({ "a/b": "1", "a/c/d": "2", e: "3" });
    await it.copy(["e"], "f");
    await it.copy(["e", "a/b"], "a/c/");
    await it.copy(["a"], "g", true);
    await it.copy(["a"], "g", true);
    assert.deepEqual(await it.list("g", true), [
      ...["g/a", "g/a/b", "g/a/c", "g/a/c/b", "g/a/c/d", "g/a/c/e"],
      ...["g/b", "g/c", "g/c/b", "g/c/d", "g/c/e"],
    ]);
    await assert.rejects(it.copy(["a"], "h"), fails("invalidArgument", /a is a folder.*recursive/));
    await assert.rejects(it.copy(["a"], "a/c", true), fails("invalidArgument", /into itself/));
    await assert.rejects(it.copy(["a/b", "e"], "f"), fails("invalidArgument", /f is no folder/));
    await assert.rejects(it.copy(["none"], "f"), fails("notFound", /none: there is no such/));
    await assert.rejects(it.remove("a"), fails("invalidArgument", /a is a folder.*-r/));
    await assert.rejects(it.remove("none"), fails("notFound", /none: there is no such/));
    await it.remove("a/b");
    await it.remove("g", true);
    assert.deepEqual(await it.list("/", true), ["a", "a/c", "a/c/b", "a/c/d", "a/c/e", "e", "f"]);
    await it.remove("/", true);
    assert.deepEqual(await it.list("/", true), []);
  });
});

describe("the files of a volume of version 2", () => {
  it("are there once all their blocks are", async () => {
    await using it = await begin(VolumeFsVersion.V2);
    const block = (text: string) => ({ contentsSha256: createHash("sha256").update(text).digest() });
    const size = 8 * 1024 * 1024 + 5;
    const file = { path: "/x", size: BigInt(size), blocks: [block(""), block("tail")], mode: 0o600 };
    const put = (path = "/x") =>
      it.world.asUser(rpc.volumePutFiles2, {
        volumeId: it.volumeId,
        files: [{ ...file, path }],
        disallowOverwriteExistingFiles: true,
      });
    const { missingBlocks } = await put();
    assert.deepEqual(
      missingBlocks.map(({ fileIndex, blockIndex }) => [fileIndex, blockIndex]),
      [[0n, 1n]],
    );
    assert.match(missingBlocks[0]?.putUrl ?? "", /^http:\/\/lydian\.example\/volume-pieces\?/);
    assert.deepEqual(await it.list("/"), []);
    const data = Buffer.from("tail");
    const sha256Hex = createHash("sha256").update(data).digest("hex");
    await it.world.asUser(rpc.mountPutFile, { sha256Hex, dataOneof: { case: "data", value: data } });
    assert.deepEqual((await put()).missingBlocks, []);
    assert.deepEqual(await it.list("/"), ["x"]);
    await assert.rejects(put(), fails("alreadyExists", /x: there is a file/));
    const wrong = { ...file, path: "/y", blocks: [block("")] };
    await assert.rejects(
      it.world.asUser(rpc.volumePutFiles2, { volumeId: it.volumeId, files: [wrong] }),
      fails("invalidArgument", /"\/y" has 8388613 bytes, but 1 blocks/),
    );
    const found = await it.world.asUser(rpc.volumeGetFile2, { volumeId: it.volumeId, path: "x" });
    assert.deepEqual([found.getUrls.length, found.size, found.len], [2, BigInt(size), BigInt(size)]);
    await assert.rejects(
      it.world.asUser(rpc.volumeGetFile2, { volumeId: it.volumeId, path: "y" }),
      fails("notFound", /y: there is no such/),
    );
  });
});

describe("the ranges of a file", () => {
  const mib = 1024 * 1024;
  const pieces = [
    { sha256: "a", offset: 100, length: 8 * mib },
    { sha256: "b", offset: 0, length: 3 },
    { sha256: "", offset: 0, length: 0 },
  ];

  it("are one for each piece, filled up with zeros unless the client does that", () => {
    const range = { start: 0, length: 17 * mib };
    assert.deepEqual(rangesOf({ pieces }, range, false), [
      { sha256: "a", offset: 100, length: 8 * mib, zeros: 0 },
      { sha256: "b", offset: 0, length: 3, zeros: 8 * mib - 3 },
      { sha256: "", offset: 0, length: 0, zeros: mib },
    ]);
    assert.deepEqual(
      rangesOf({ pieces }, range, true).map(({ zeros }) => zeros),
      [0, 0, 0],
    );
  });

  it("begin and end anywhere", () => {
    assert.deepEqual(rangesOf({ pieces }, { start: 8 * mib - 2, length: 4 }, false), [
      { sha256: "a", offset: 100 + 8 * mib - 2, length: 2, zeros: 0 },
      { sha256: "b", offset: 0, length: 2, zeros: 0 },
    ]);
    assert.deepEqual(rangesOf({ pieces }, { start: 8 * mib + 5, length: 2 }, false), [
      { sha256: "", offset: 5, length: 0, zeros: 2 },
    ]);
    assert.deepEqual(rangesOf({ pieces }, { start: 5, length: 0 }, false), []);
  });
});

describe("files of a volume that are put and copied", () => {
  it("take no folder's place, nor does a folder take theirs, unless that is removed before", async () => {
    await using it = await begin(VolumeFsVersion.V2);
    await it.put({ "a/b/c": "1", d: "2", "e/b": "3" });
    const all = ["a", "a/b", "a/b/c", "d", "e", "e/b"];
    const isFolder = fails("failedPrecondition", /^a\/b is a folder of volume "data", and would become a file/);
    for (const force of [false, true]) {
      await assert.rejects(it.put({ "a/b": "4" }, force), isFolder);
      const isFile = fails("failedPrecondition", /^d is a file of volume "data", and would become a folder/);
      await assert.rejects(it.put({ "d/x/y": "4" }, force), isFile);
    }
    await assert.rejects(it.copy(["e/b"], "a"), isFolder);
    await assert.rejects(it.copy(["a"], "d", true), fails("failedPrecondition", /^d is a file/));
    assert.deepEqual(await it.list("/", true), all);
    await it.remove("a/b", true);
    await it.put({ "a/b": "4" });
    await it.put({ "a/b": "5" }, true);
    assert.deepEqual(await it.list("/", true), ["a", "a/b", "d", "e", "e/b"]);
  });
});

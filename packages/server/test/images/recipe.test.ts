/** What makes two requests the same image, and what no image can be made of. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { Arch, ImageSchema, RegistryAuthType } from "@lydian/contract";

import { keyOf, recipeOf } from "../../src/images/recipe.ts";
import { recipe } from "../support/rows.ts";

type Asked = Exclude<MessageInitShape<typeof ImageSchema>, { $typeName: string }>;

const nothing = {
  ...{ contextManifestSha256: "", contextName: "", contextFiles: [] },
  ...{ secretsIdentity: "", secretIds: ["st-1"], volumes: [], called: undefined },
};
const read = (asked: Asked) => recipeOf(create(ImageSchema, { dockerfileCommands: ["FROM a"], ...asked }), nothing);

const volume = { volumeId: "vo-1", path: "/a", readOnly: false, subPath: "" };
const called = { name: "build", identity: "x", sha256: "", mostMs: 1 };

describe("an image's key", () => {
  const key = keyOf(recipe(), "2025.06", "");

  it("is the same for what is the same, in whatever order maps came, and whichever secrets have the values", () => {
    const one = recipe({ buildArgs: { a: "1", b: "2" }, bases: { x: "im-1", y: "im-2" }, secretIds: ["st-1"] });
    const other = recipe({ buildArgs: { b: "2", a: "1" }, bases: { y: "im-2", x: "im-1" }, secretIds: ["st-2"] });
    assert.equal(keyOf(one, "2025.06", ""), keyOf(other, "2025.06", ""));
  });

  const others = {
    lines: keyOf(recipe({ lines: ["FROM other"] }), "2025.06", ""),
    "the order of lines": keyOf(recipe({ lines: ["RUN a", "FROM x"] }), "2025.06", ""),
    "another order of lines": keyOf(recipe({ lines: ["FROM x", "RUN a"] }), "2025.06", ""),
    "one line instead of two": keyOf(recipe({ lines: ["FROM x,RUN a"] }), "2025.06", ""),
    bases: keyOf(recipe({ bases: { base: "im-2" } }), "2025.06", ""),
    context: keyOf(recipe({ contextManifestSha256: "a" }), "2025.06", ""),
    "a named context": keyOf(recipe({ contextName: "a" }), "2025.06", ""),
    "context files": keyOf(recipe({ contextFiles: [{ path: "/a", sha256: "1" }] }), "2025.06", ""),
    "other context files": keyOf(recipe({ contextFiles: [{ path: "/a", sha256: "2" }] }), "2025.06", ""),
    "build arguments": keyOf(recipe({ buildArgs: { a: "1" } }), "2025.06", ""),
    "secrets' values": keyOf(recipe({ secretsIdentity: "x" }), "2025.06", ""),
    "the builder": keyOf(recipe(), "2026.10", ""),
    "the registry's login": keyOf(recipe({ registry: { kind: "aws", secretId: "st-1" } }), "2025.06", "x"),
    "another login": keyOf(recipe({ registry: { kind: "aws", secretId: "st-1" } }), "2025.06", "y"),
    "a function": keyOf(recipe({ called: { ...called, identity: "x" } }), "2025.06", ""),
    "another function": keyOf(recipe({ called: { ...called, identity: "y" } }), "2025.06", ""),
    volumes: keyOf(recipe({ volumes: [volume] }), "2025.06", ""),
    "another volume": keyOf(recipe({ volumes: [{ ...volume, volumeId: "vo-2" }] }), "2025.06", ""),
    "a volume elsewhere": keyOf(recipe({ volumes: [{ ...volume, path: "/b" }] }), "2025.06", ""),
    "a volume for reading": keyOf(recipe({ volumes: [{ ...volume, readOnly: true }] }), "2025.06", ""),
    "a folder of a volume": keyOf(recipe({ volumes: [{ ...volume, subPath: "x" }] }), "2025.06", ""),
    "another kind of login": keyOf(recipe({ registry: { kind: "gcp", secretId: "st-1" } }), "2025.06", "x"),
  };
  it("does not mind how a function is called", () => {
    const [one, other] = [
      { ...called, sha256: "1", mostMs: 1 },
      { ...called, sha256: "2", mostMs: 2, name: "other" },
    ];
    const key = keyOf(recipe({ called: one }), "2025.06", "");
    assert.equal(key, keyOf(recipe({ called: other, volumes: [volume] }), "2025.06", ""));
  });

  it("is another one for whatever makes another image", () => {
    assert.equal(new Set([key, ...Object.values(others)]).size, Object.keys(others).length + 1);
  });
});

describe("a recipe", () => {
  it("has what the client asked for", () => {
    const { bases, buildArgs, secretIds, registry } = read({
      baseImages: [{ dockerTag: "base", imageId: "im-1" }],
      buildArgs: { a: "1" },
      secretIds: ["st-1"],
      imageRegistryConfig: { registryAuthType: RegistryAuthType.GCP, secretId: "st-2" },
    });
    assert.deepEqual([bases, buildArgs, secretIds], [{ base: "im-1" }, { a: "1" }, ["st-1"]]);
    assert.deepEqual(registry, { kind: "gcp", secretId: "st-2" });
    assert.equal(read({ imageRegistryConfig: { registryAuthType: RegistryAuthType.PUBLIC } }).registry, undefined);
  });

  const refused: Readonly<Record<string, [Asked, RegExp]>> = {
    "no lines": [{ dockerfileCommands: [] }, /has no steps/],
    "no FROM": [{ dockerfileCommands: ["RUN from"] }, /has no FROM; it begins with "RUN from"/],
    "a GPU": [{ gpuConfig: { count: 1, gpuType: "H100" } }, /a GPU \(H100\) during its steps/],
    "another processor": [{ arch: process.arch === "x64" ? Arch.AARCH64 : Arch.X86_64 }, /runs on/],
    "a login without a secret": [
      { imageRegistryConfig: { registryAuthType: RegistryAuthType.STATIC_CREDS } },
      /no secret is named/,
    ],
  };
  for (const [what, [asked, message]] of Object.entries(refused)) {
    it(`is refused for ${what}`, () => assert.throws(() => read(asked), message));
  }

  it("may begin with arguments, in whatever letters, and be for this processor", () => {
    const arch = process.arch === "x64" ? Arch.X86_64 : Arch.AARCH64;
    assert.ok(read({ dockerfileCommands: ["ARG tag=1", "from python:$tag"], arch }));
  });
});

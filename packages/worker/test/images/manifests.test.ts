import assert from "node:assert/strict";
import { it } from "node:test";

import { chooseManifest, imageArchitecture, parseManifest } from "../../src/images/registry/manifests.ts";
import { bearerFields } from "../../src/images/registry/registry-login.ts";

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const ociManifest = "application/vnd.oci.image.manifest.v1+json";
const entry = (digit: string, os: string, architecture: string, mediaType = ociManifest) => ({
  mediaType,
  digest: digest(digit),
  size: 1,
  platform: { os, architecture },
});

it("chooses Linux on the architecture, not an attestation and not another system", () => {
  const manifests = [
    entry("1", "windows", "amd64"),
    entry("2", "unknown", "unknown"),
    entry("3", "linux", "arm64"),
    entry("4", "linux", "amd64"),
  ];
  assert.equal(chooseManifest({ manifests }, "amd64", "x:1").digest, digest("4"));
  assert.equal(chooseManifest({ manifests }, "arm64", "x:1").digest, digest("3"));
  assert.throws(() => chooseManifest({ manifests }, "riscv64", "x:1"), {
    message: "x:1 is not offered for linux/riscv64",
    hint: "it is offered for windows/amd64, unknown/unknown, linux/arm64, linux/amd64",
  });
  assert.equal(imageArchitecture("x64"), "amd64");
  assert.equal(imageArchitecture("arm64"), "arm64");
});

it("knows the packings of layers, and refuses what it does not know", () => {
  const layer = (mediaType: string) => ({ mediaType, digest: digest("a"), size: 5 });
  const layers = [
    layer("application/vnd.docker.image.rootfs.diff.tar.gzip"),
    layer("application/vnd.oci.image.layer.v1.tar+zstd"),
    layer("application/vnd.oci.image.layer.v1.tar"),
  ];
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: digest("c"), size: 2 };
  assert.deepEqual(parseManifest({ config, layers }, "x:1").layers, layers);
  assert.throws(
    () => parseManifest({ config, layers: [layer("application/x-7z")] }, "x:1"),
    /type that is not known: application\/x-7z/,
  );
  assert.throws(() => parseManifest({ layers }, "x:1"), /cannot be understood/);
  for (const bad of ["sha512:00", `sha256:${"0".repeat(63)}`, "../../etc/passwd"]) {
    assert.throws(
      () => parseManifest({ config, layers: [{ ...layers[0], digest: bad }] }, "x:1"),
      /only digests by sha256/,
    );
  }
});

it("reads where a token is to be had, also where a value holds commas", () => {
  const fields = bearerFields(
    'Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push"',
  );
  assert.deepEqual(
    [...(fields ?? [])],
    [
      ["realm", "https://auth.example/token"],
      ["service", "reg"],
      ["scope", "repository:a/b:pull,push"],
    ],
  );
  assert.equal(bearerFields('Basic realm="x"'), undefined);
  assert.equal(bearerFields(""), undefined);
});

/** The default image is known in every form in which the public clients ask for it, and nothing else is taken for it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { ImageSchema } from "@lydian/contract";

import { defaultImagePython } from "../../src/images/default-image.ts";

/** `dockerfile_commands` after the first line: the same in the clients 1.3.5, 1.5.4 and 1.6.4, builders 2025.06 and 2026.10. */
const steps = [
  "RUN apt-get update",
  "RUN apt-get install -y gcc gfortran build-essential",
  "RUN pip install --upgrade pip wheel uv",
  "RUN echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections",
  'CMD ["sleep", "172800"]',
];

/** First lines as the clients write them, printed by `Image.debian_slim(python_version=…)` of each. */
const bases: readonly [string, string][] = [
  // 1.3.5, 1.5.4 and 1.6.4 with the builder 2025.06
  ["FROM python:3.10.17-slim-bookworm", "3.10"],
  ["FROM python:3.11.12-slim-bookworm", "3.11"],
  ["FROM python:3.12.10-slim-bookworm", "3.12"],
  ["FROM python:3.13.3-slim-bookworm", "3.13"],
  ["FROM python:3.14.2-slim-bookworm", "3.14"],
  // 1.6.4 with the builder 2026.10
  ["FROM python:3.11-slim-trixie", "3.11"],
  ["FROM python:3.12-slim-trixie", "3.12"],
  ["FROM python:3.13-slim-trixie", "3.13"],
  ["FROM python:3.14-slim-trixie", "3.14"],
];

const python = (image: MessageInitShape<typeof ImageSchema>): string | undefined =>
  defaultImagePython(create(ImageSchema, image));

const commands = ["FROM python:3.11.12-slim-bookworm", ...steps];

describe("the default image", () => {
  for (const [from, minor] of bases) {
    it(`is recognized by ${from}`, () => {
      assert.equal(python({ dockerfileCommands: [from, ...steps] }), minor);
    });
  }

  it("is not one with more, fewer or other steps, or in another order", () => {
    assert.equal(python({ dockerfileCommands: [...commands, "RUN pip install torch"] }), undefined);
    assert.equal(python({ dockerfileCommands: commands.slice(0, -1) }), undefined);
    assert.equal(python({ dockerfileCommands: commands.toReversed() }), undefined);
    assert.equal(python({ dockerfileCommands: commands.with(2, "RUN apt-get install -y gcc") }), undefined);
    assert.equal(python({ dockerfileCommands: commands.with(1, "RUN apt-get update && rm -rf /") }), undefined);
    assert.equal(python({ dockerfileCommands: [] }), undefined);
  });

  it("is not another base, such as a free-threaded Python or a full image", () => {
    for (const from of [
      "FROM python:3.14t-slim-trixie",
      "FROM python:3.11-bookworm",
      "FROM python:2.7.18-slim-bookworm",
      "FROM ubuntu:24.04",
      "FROM evil/python:3.11-slim-bookworm",
      "FROM python:3.11-slim-bookworm AS base",
      "FROM python:3.11-slim-bookworm\nRUN x",
    ]) {
      assert.equal(python({ dockerfileCommands: commands.with(0, from) }), undefined, from);
    }
  });

  it("is not one that brings anything along", () => {
    const with_ = (extra: MessageInitShape<typeof ImageSchema>): string | undefined =>
      python({ dockerfileCommands: commands, ...extra });
    assert.equal(with_({}), "3.11");
    assert.equal(with_({ baseImages: [{ dockerTag: "base", imageId: "im-1" }] }), undefined);
    assert.equal(with_({ contextFiles: [{ filename: "/x" }] }), undefined);
    assert.equal(with_({ contextMountId: "mo-1" }), undefined);
    assert.equal(with_({ secretIds: ["st-1"] }), undefined);
    assert.equal(with_({ buildFunction: {} }), undefined);
  });
});

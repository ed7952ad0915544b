/** Where nobody makes images: the default image in every form in which clients ask for it is there, all else is refused by its step. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Recipe } from "../../src/domain/image.ts";
import { withoutBuilds } from "../../src/images/host-image.ts";
import { builder, recipe, worker } from "../support/rows.ts";

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

const lines = ["FROM python:3.11.12-slim-bookworm", ...steps];

/** The Python that functions run with, or what is refused. */
function outcome(changes: Partial<Recipe>): string | undefined {
  const settled = withoutBuilds(recipe(changes), [worker()]);
  return settled?.kind === "built" ? settled.built.python : /"(.*)" needs/.exec(settled?.failure.message ?? "")?.[1];
}

describe("without builds", () => {
  for (const [from, minor] of bases) {
    it(`the default image is there for ${from}`, () => {
      assert.equal(outcome({ lines: [from, ...steps] }), minor);
      assert.equal(outcome({ lines: [from] }), minor, "as images of earlier versions are written down");
    });
  }

  it("another step is refused by its name", () => {
    const called = { name: "build", identity: "", sha256: "", mostMs: 1 };
    assert.equal(outcome({ lines: [], bases: { base: "im-1" }, called }), "run_function build");
    assert.equal(outcome({ lines: [...lines, "RUN pip install torch"] }), "RUN pip install torch");
    assert.equal(outcome({ lines: lines.with(2, "RUN apt-get install -y gcc") }), "RUN apt-get install -y gcc");
    assert.equal(outcome({ lines: lines.with(1, "RUN apt-get update && rm -rf /") }), "RUN apt-get update && rm -rf /");
    assert.equal(outcome({ lines: lines.slice(0, -1) }), steps[3]);
    assert.equal(outcome({ lines: ["FROM base", "RUN echo hello"], bases: { base: "im-1" } }), "RUN echo hello");
  });

  it("another base is, too, such as a free-threaded Python or a full image", () => {
    for (const from of [
      "FROM python:3.14t-slim-trixie",
      "FROM python:3.11-bookworm",
      "FROM python:2.7.18-slim-bookworm",
      "FROM ubuntu:24.04",
      "FROM evil/python:3.11-slim-bookworm",
      "FROM python:3.11-slim-bookworm AS base",
    ]) {
      assert.equal(outcome({ lines: lines.with(0, from) }), from);
    }
  });

  it("so is what brings something along", () => {
    assert.equal(outcome({ lines }), "3.11");
    assert.equal(outcome({ lines, contextFiles: [{ path: "/x", sha256: "a" }] }), lines[0]);
    assert.equal(outcome({ lines, contextManifestSha256: "a" }), lines[0]);
    assert.equal(outcome({ lines, contextName: "python" }), lines[0]);
    assert.equal(outcome({ lines, secretIds: ["st-1"] }), lines[0]);
  });

  it("nothing is decided while somebody builds, or nobody is there", () => {
    assert.equal(withoutBuilds(recipe({ lines }), []), undefined);
    assert.equal(withoutBuilds(recipe({ lines }), [worker(), builder()]), undefined);
  });
});

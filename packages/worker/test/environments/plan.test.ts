/** What recipes come to without containers, as the clients write them, and what is refused. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type Base, type Plan, planOf } from "../../src/environments/plan.ts";

/** `dockerfile_commands` of the default image: the same in the clients 1.3.5, 1.5.4 and 1.6.4, builders 2025.06 and 2026.10. */
const usual = [
  "RUN apt-get update",
  "RUN apt-get install -y gcc gfortran build-essential",
  "RUN pip install --upgrade pip wheel uv",
  "RUN echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections",
  'CMD ["sleep", "172800"]',
];

/** First lines as the clients write them, printed by `Image.debian_slim(python_version=…)` of each. */
const froms: readonly [string, string][] = [
  ["FROM python:3.10.17-slim-bookworm", "3.10"],
  ["FROM python:3.11.12-slim-bookworm", "3.11"],
  ["FROM python:3.13.3-slim-bookworm", "3.13"],
  ["FROM python:3.14-slim-trixie", "3.14"],
];

const below: Base = { python: "3.12", config: { env: { PATH: "/usr/bin", OWN: "value" }, workdir: "/", user: "root" } };

function plan(lines: readonly string[], changes: Partial<Parameters<typeof planOf>[0]> = {}): Plan {
  const recipe = {
    lines: [...lines],
    bases: { base: "im-1" },
    buildArgs: {},
    contextName: "",
    volumes: [],
    ...changes,
  };
  return planOf(recipe, "/usr/bin", new Map([["im-1", below]]));
}

const steps = (lines: readonly string[]): unknown[] =>
  plan(["FROM base", ...lines]).steps.map((step) =>
    step.kind === "install" ? [step.tool, ...step.words] : [step.kind, ...step.copy.sources, step.copy.target],
  );

describe("a recipe", () => {
  for (const [from, python] of froms) {
    it(`of the default image needs nothing but its Python (${from})`, () => {
      const made = plan([from, ...usual]);
      assert.deepEqual([made.python, made.from, made.steps], [python, undefined, []]);
    });
  }

  it("of a system without Python has none, and nothing is installed into it", () => {
    const made = plan(["FROM debian:bookworm-slim", "ENV A=1"]);
    assert.deepEqual([made.python, made.steps, made.config.env["A"]], ["", [], "1"]);
    assert.throws(
      () => plan(["FROM debian:bookworm-slim", "RUN pip install six"]),
      /RUN pip install six.*for the image has no Python/,
    );
  });

  it("goes on from an image that is there", () => {
    const made = plan(["FROM base", "ENV GREETING=hello NAME=$OWN", "WORKDIR /root/work", 'CMD ["x"]']);
    assert.deepEqual([made.python, made.from, made.config.workdir], ["3.12", "im-1", "/root/work"]);
    assert.deepEqual(made.config.env, { PATH: "/usr/bin", OWN: "value", GREETING: "hello", NAME: "value" });
    assert.throws(() => plan(["FROM other"], { bases: { other: "im-2" } }), /im-2, .* is not on this worker/);
  });

  it("installs packages, with the words of the command as they are", () => {
    assert.deepEqual(steps(["RUN python -m pip install 'torch>=2' --index-url \"https://x/$OWN\""]), [
      ["pip", "install", "torch>=2", "--index-url", "https://x/value"],
    ]);
    assert.deepEqual(steps(["COPY /.requirements.txt /.requirements.txt", "RUN pip install -r /.requirements.txt"]), [
      ["copy", "/.requirements.txt", "/.requirements.txt"],
      ["pip", "install", "-r", "/.requirements.txt"],
    ]);
    assert.deepEqual(
      steps([
        "COPY --from=ghcr.io/astral-sh/uv:0.9.1 /uv /.uv/uv",
        "RUN /.uv/uv pip install --python $(command -v python) --compile-bytecode 'a[b]'",
        "RUN /.uv/uv sync --project=/.uv --frozen",
      ]),
      [
        ["uv", "pip", "install", "--python", "python", "--compile-bytecode", "a[b]"],
        ["uv", "sync", "--project=/.uv", "--frozen"],
      ],
    );
  });
});

describe("a step that needs a root file system of its own is refused by its name:", () => {
  for (const line of [
    "RUN apt-get install -y curl",
    "RUN echo hello",
    "RUN pip install x && rm -rf /",
    "RUN pip install $(cat list)",
    "RUN pip install `cat list`",
    "RUN pip install x > log",
    "RUN pip install git+https://$TOKEN@example.com/x.git",
    "RUN pip download x",
    "WORKDIR /work",
    "USER nobody",
    'SHELL ["/bin/bash", "-c"]',
    'ENTRYPOINT ["/start"]',
    "COPY --from=ubuntu:24.04 /etc/passwd /root/passwd",
    "ADD archive.tar /root",
  ]) {
    it(line, () => {
      assert.throws(
        () => plan(["FROM base", line]),
        (error: Error) => error.message === `the step "${line}" needs a root file system of its own`,
      );
    });
  }

  for (const from of ["FROM ubuntu:24.04", "FROM python:3.11-bookworm", "FROM evil/python:3.11-slim-bookworm"]) {
    it(from, () => assert.throws(() => plan([from]), new RegExp(`the step "${from}" needs`)));
  }

  it("FROM of several stages, run_function, what comes from elsewhere", () => {
    assert.throws(() => plan(["FROM base AS one", "FROM one"]), /"FROM base AS one" needs/);
    assert.throws(() => plan(["FROM base"], { contextName: "python-build" }), /"COPY from python-build" needs/);
    const called = { name: "build" } as NonNullable<Parameters<typeof planOf>[0]["function"]>;
    assert.throws(() => plan([], { function: called }), /"run_function build" needs/);
  });
});

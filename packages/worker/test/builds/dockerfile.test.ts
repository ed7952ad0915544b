/** Dockerfiles as instructions, stages and configuration. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { parseDockerfile } from "../../src/builds/dockerfile.ts";
import { nameOf } from "../../src/builds/fetch-step.ts";
import { type CopyStep, fold, type State } from "../../src/builds/fold.ts";
import { lastNeeded, stagesOf } from "../../src/builds/stages.ts";

const parse = (text: string) => parseDockerfile(text.split("\n")).map(({ line: _line, text: _text, ...rest }) => rest);

const start: State = { config: { env: { PATH: "/bin" }, workdir: "/", user: "root" }, args: {} };

function after(text: string, given: Record<string, string> = {}) {
  let state = start;
  const steps: unknown[] = [];
  for (const instruction of parseDockerfile(["FROM x", ...text.split("\n")]).slice(1)) {
    const folded = fold(state, instruction, given);
    state = folded.state;
    if (folded.step !== undefined) steps.push(folded.step);
  }
  return { ...state, steps };
}

describe("the lines of a Dockerfile", () => {
  it("are commands over several lines, without the comments between them", () => {
    const [, run] = parse("FROM x\nRUN a && \\\n  # why\n  b \\\n    c");
    assert.deepEqual(run, { kind: "run", command: "a &&   b     c" });
  });

  it("are lists where they are JSON, with their blanks, and texts where they only look like it", () => {
    assert.deepEqual(parse('FROM x\nRUN ["sh", "-c", "a b"]')[1], { kind: "run", command: ["sh", "-c", "a b"] });
    assert.deepEqual(parse("FROM x\nRUN [ -f a ] && b")[1], { kind: "run", command: "[ -f a ] && b" });
  });

  it("are here-documents", () => {
    assert.deepEqual(parse("FROM x\nRUN <<EOF\na\nb\nEOF")[1], { kind: "run", command: "<<EOF\na\nb\nEOF" });
  });

  it("say what is copied, from where and how", () => {
    assert.deepEqual(parse('FROM x\nCOPY --from=b --chown=1:2 --chmod=755 ["a b", "/c/"]')[1], {
      ...{ kind: "copy", isAdd: false, sources: ["a b"], target: "/c/", from: "b", chown: "1:2", chmod: "755" },
      checksum: undefined,
    });
  });

  it("may have what means nothing here", () => {
    const kinds = parse("FROM x\nHEALTHCHECK NONE\nLABEL a=b\nEXPOSE 80\nSTOPSIGNAL 9").map(({ kind }) => kind);
    assert.deepEqual(kinds, ["from", "ignored", "ignored", "ignored", "ignored"]);
  });

  it("are refused with their number", () => {
    assert.throws(() => parse("FROM x\nRUN true\nSHELL bash"), /Dockerfile line 3: SHELL takes a list/);
    assert.throws(() => parse("FROM --platform=windows/amd64 x"), /line 1: images for windows/);
  });
});

describe("the configuration", () => {
  it("grows with each instruction", () => {
    const { config, args } = after("ENV A=1 B=$A\nENV C=$A\nARG D=4\nARG E\nWORKDIR a\nWORKDIR b\nUSER me", { E: "5" });
    assert.deepEqual(config, { env: { PATH: "/bin", A: "1", B: "", C: "1" }, workdir: "/a/b", user: "me" });
    assert.deepEqual(args, { D: "4", E: "5" });
  });

  it("says how commands are run", () => {
    const { steps } = after('ARG A=1\nRUN a\nSHELL ["/bin/bash", "-ec"]\nRUN b\nRUN ["c"]');
    assert.deepEqual(
      steps.map((step) => (step as { argv: unknown }).argv),
      [["/bin/sh", "-c", "a"], ["/bin/bash", "-ec", "b"], ["c"]],
    );
  });

  it("loses the base's command by another entry point", () => {
    const { config } = after('CMD ["a"]\nENTRYPOINT ["b"]');
    assert.deepEqual([config.entrypoint, config.cmd], [["b"], undefined]);
  });

  it("makes targets of COPY absolute, and folders where they must be", () => {
    const { steps } = after("WORKDIR /w\nCOPY a b\nCOPY a b/\nCOPY a .\nCOPY a b /c\nCOPY . /");
    assert.deepEqual(
      steps.map((step) => (step as { target: string }).target),
      ["/w/b", "/w/b/", "/w/", "/c/", "/"],
    );
  });
});

describe("what ADD names", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const steps = (line: string): unknown[] =>
    after(`ARG V=1\n${line}`).steps.map((step) => {
      const { sources, isFetched, checksum } = step as CopyStep;
      return [sources, isFetched, checksum];
    });

  it("may be addresses, with variables and a checksum", () => {
    assert.deepEqual(steps("ADD https://example.org/a-$V.tar /b/"), [
      [["https://example.org/a-1.tar"], true, undefined],
    ]);
    assert.deepEqual(steps(`ADD --checksum=${digest} http://example.org/a /b`), [
      [["http://example.org/a"], true, digest],
    ]);
    assert.deepEqual(steps("ADD a b /c/"), [[["a", "b"], false, undefined]]);
  });

  it("is called by the last name of its path", () => {
    assert.equal(nameOf("https://example.org/x/a%20b.tar?c=d#e"), "a b.tar");
    for (const address of ["https://example.org", "https://example.org/a/", "https://example.org/%2e%2e"]) {
      assert.throws(() => nameOf(address), /does not end with the name of a file/, address);
    }
  });

  const refused: Record<string, RegExp> = {
    "COPY https://example.org/a /b": /only ADD takes an address/,
    "ADD --from=x https://example.org/a /b": /only ADD takes an address/,
    "ADD https://example.org/a a /b/": /either addresses or files/,
    "ADD git@example.org:a/b.git /b": /repositories of git are not added/,
    "ADD https://example.org/a/b.git#main /b": /repositories of git are not added/,
    "ADD --checksum=md5:0 https://example.org/a /b": /--checksum takes sha256:DIGEST, not md5:0/,
    [`ADD --checksum=${digest} a /b`]: /--checksum is for the one address/,
    [`ADD --checksum=${digest} https://example.org/a https://example.org/b /b/`]: /--checksum is for the one address/,
  };
  for (const [line, message] of Object.entries(refused)) {
    it(`is not: ${line}`, () => assert.throws(() => after(line), message));
  }
});

describe("stages", () => {
  it("are made when the last one needs them, by name, by number or as its base", () => {
    const text =
      "ARG V=1\nFROM x:$V AS a\nFROM a AS b\nFROM x AS c\nFROM x\nFROM y\nCOPY --from=b p q\nCOPY --from=3 p q";
    const { stages, args } = stagesOf(parseDockerfile(text.split("\n")), { V: "2" });
    assert.deepEqual(args, { V: "2" });
    assert.deepEqual(
      lastNeeded(stages).map(({ name, base }) => name ?? base),
      ["a", "b", "x", "y"],
    );
    assert.equal(stages[0]?.base, "x:2");
  });
});

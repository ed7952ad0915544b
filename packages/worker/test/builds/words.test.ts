/** Words of a Dockerfile as Docker reads them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { expand, splitWords } from "../../src/builds/words.ts";

const variables = { A: "one", EMPTY: "", PATH: "/bin" };

test("variables, quotes and escapes", () => {
  const cases: [word: string, expanded: string][] = [
    ["$A/x", "one/x"],
    ["${A}s", "ones"],
    ["$UNSET-", "-"],
    ["'$A'", "$A"],
    ['"$A and \\"two\\""', 'one and "two"'],
    ["\\$A", "$A"],
    ['"a\\b"', "a\\b"],
    ["a\\ b", "a b"],
    ["${UNSET:-x}${EMPTY:-y}${EMPTY-z}", "xy"],
    ["${A:+set}${UNSET:+set}", "set"],
    ["${UNSET:-${A}}", "one"],
    ["/venv/bin:$PATH", "/venv/bin:/bin"],
    ["100$", "100$"],
    ["'/a b'/c", "/a b/c"],
  ];
  for (const [word, expanded] of cases) assert.equal(expand(word, variables), expanded, word);
});

test("what is not closed is refused", () => {
  for (const word of ["'a", '"a', "${A", "${A:-x"])
    assert.throws(() => expand(word, variables), /closing|closed/, word);
  assert.throws(() => expand("${UNSET:?give it}", variables), /UNSET is not set: give it/);
});

test("words are split at blanks outside of quotes", () => {
  assert.deepEqual(splitWords(`a  "b c" 'd e'f g\\ h`), ["a", '"b c"', "'d e'f", "g\\ h"]);
});

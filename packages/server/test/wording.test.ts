/** Hints in the words of whoever reads them. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { fail } from "../src/errors.ts";
import { hintFor } from "../src/wording.ts";

it("names the commands that the reader has", () => {
  const hint =
    "List them: `modal app list`, `modal app logs x`, `modal workspace proxy-tokens list`, `modal token new`";
  assert.equal(hintFor("python", hint), hint);
  assert.equal(
    hintFor("typescript", hint),
    "List them: `lydian app list`, `lydian logs x`, `lydian proxy-token list`, `modal token new`",
  );
});

it("is code in the reader's language, and an error's own hint is Python's", () => {
  const error = fail("notFound", "There is no volume", { hint: { python: "x=True", typescript: "x: true" } });
  assert.equal(error.hint, "x=True");
  assert.equal(error.text, "There is no volume. X=True.");
  assert.equal(error.textFor("typescript"), "There is no volume. X: true.");
});

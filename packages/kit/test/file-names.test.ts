import assert from "node:assert/strict";
import { test } from "node:test";

import { isTextOfName, nameOnDisk, textOfName } from "../src/file-names.ts";

const bytesOf = (text: string): Buffer => Buffer.from(nameOnDisk(text));

test("names that are UTF-8 are their text, whatever characters they have", () => {
  for (const name of ["plain", "é", "日本", "\u{FEFF}mark", "\u{1F600}", "\u{FFFD}", "new\nline", "\u{10FFFF}"]) {
    assert.equal(textOfName(Buffer.from(name)), name);
    assert.equal(nameOnDisk(name), name);
  }
});

test("each name has one text, from which its bytes come back", () => {
  const names = [
    [0xff],
    [0x61, 0xe9, 0x62],
    [0xc3], // the first half of é
    [0xc3, 0xa9, 0xc3],
    [0xed, 0xa0, 0x80], // half of a surrogate pair
    [0xc0, 0xaf], // a slash in too many bytes
    [0xf5, 0x80, 0x80, 0x80], // beyond Unicode
    [0xf0, 0x9f, 0x98],
    [...Buffer.from("\u{10FE80}")],
    [...Buffer.from("a\u{10FEFF}"), 0xff],
  ].map((bytes) => Buffer.from(bytes));
  const texts = names.map(textOfName);
  assert.deepEqual(texts.map(bytesOf), names);
  assert.equal(new Set(texts).size, names.length);
  for (const text of texts) {
    assert.equal(Buffer.from(text).toString(), text, "it can be sent and stored");
    assert.ok(isTextOfName(text));
    assert.doesNotMatch(text, /\//);
  }
});

test("a text that says a character by its bytes is no name's", () => {
  const [first, second] = [...bytesOf("é")].map((byte) => String.fromCodePoint(0x10fe80 + byte - 0x80));
  assert.equal(textOfName(bytesOf(`${first}${second}`)), "é");
  assert.equal(isTextOfName(`${first}${second}`), false);
  assert.equal(isTextOfName(`${first}`), true);
  assert.equal(isTextOfName("é"), true);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { BlobLinks, partLengthOf } from "../../src/content/blob-links.ts";
import { sha256Of } from "../../src/content/digest.ts";
import { rangeOf } from "../../src/content/send-content.ts";
import { parsePartList } from "../../src/content/part-list.ts";
import { isFail } from "../../src/errors.ts";

const upload = { blobId: "bl-1", sha256: sha256Of("ab".repeat(32)), size: 3 * 1024 ** 3 };

test("a link allows what it says, until it expires", () => {
  let now = 1000;
  const links = new BlobLinks(Buffer.alloc(32, 1), () => now);
  const made = links.uploadInParts("http://127.0.0.1:8700", upload, 500);
  assert.equal(made.uploadUrls.length, 12);
  const query = (url = "") => Object.fromEntries(new URL(url).searchParams);
  assert.equal(new URL(made.completionUrl).pathname, "/blobs/bl-1");
  assert.deepEqual(links.verify("bl-1", query(made.uploadUrls[1]), ["put", "part"]), {
    action: "part",
    part: 2,
    parts: 12,
    length: 256 * 1024 ** 2,
    ...upload,
  });
  assert.deepEqual(links.verify("bl-1", query(made.completionUrl), ["complete"]), {
    action: "complete",
    parts: 12,
    ...upload,
  });
  assert.deepEqual(links.verify("bl-1", query(links.upload("", upload, 500).replace("", "http://x")), ["put"]), {
    action: "put",
    ...upload,
  });
  const refused = (error: unknown) => isFail(error, "permissionDenied");
  const good = query(made.uploadUrls[1]);
  for (const bad of [
    {},
    { ...good, sig: "x" },
    { ...good, sig: [good["sig"], good["sig"]] },
    { ...good, part: "3" },
    { ...good, length: "1" },
    { ...good, extra: "1" },
    { ...good, until: "9999999999999" },
    query(new BlobLinks(Buffer.alloc(32, 2), () => now).upload("http://x", upload, 500)),
  ]) {
    assert.throws(() => links.verify("bl-1", bad, ["put", "part"]), refused);
  }
  assert.throws(() => links.verify("bl-2", good, ["part"]), refused);
  assert.throws(() => links.verify("../x", good, ["part"]), refused);
  assert.throws(() => links.verify("bl-1", good, ["put"]), refused);
  now = 1500;
  assert.throws(
    () => links.verify("bl-1", good, ["part"]),
    (error) => isFail(error, "gone"),
  );
});

test("parts cover a blob of any size", () => {
  const links = new BlobLinks(Buffer.alloc(32), () => 0);
  for (const size of [0, 1, 1024 ** 3, 1024 ** 3 + 1, 5 * 1024 ** 4 + 7]) {
    const { partLength, uploadUrls } = links.uploadInParts("http://x", { ...upload, size }, 1);
    const lengths = uploadUrls.map((url) => Number(new URL(url).searchParams.get("length")));
    assert.equal(partLength, partLengthOf(size));
    assert.ok(lengths.length <= 10_000);
    assert.equal(lengths.length === 1, size <= 1024 ** 3);
    assert.ok(lengths.slice(0, -1).every((length) => length === partLength));
    assert.equal(
      lengths.reduce((sum, length) => sum + length),
      size,
    );
  }
});

test("lists of parts", () => {
  const part = (n: number | string, etag: string) =>
    `<Part>\n<PartNumber>${n}</PartNumber>\n<ETag>"${etag}"</ETag>\n</Part>`;
  const list = (...parts: string[]) => ["<CompleteMultipartUpload>", ...parts, "</CompleteMultipartUpload>"].join("\n");
  assert.deepEqual(parsePartList(list(part(1, "a".repeat(32)), part(2, "b".repeat(32)))), [
    { part: 1, etag: "a".repeat(32) },
    { part: 2, etag: "b".repeat(32) },
  ]);
  for (const bad of [
    "",
    "<x/>",
    list(part(0, "a".repeat(32))),
    list(part("x", "a".repeat(32))),
    list(part(1, "../../x")),
  ]) {
    assert.throws(
      () => parsePartList(bad),
      (error: unknown) => isFail(error, "invalidArgument"),
      bad,
    );
  }
});

test("ranges", () => {
  const cases: [string | undefined, unknown][] = [
    [undefined, undefined],
    ["bytes=0-4", { start: 0, end: 4 }],
    ["bytes=5-", { start: 5, end: 9 }],
    ["bytes=-3", { start: 7, end: 9 }],
    ["bytes=-30", { start: 0, end: 9 }],
    ["bytes=2-99", { start: 2, end: 9 }],
    ["bytes=10-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=5-4", undefined],
    ["bytes=0-1,3-4", undefined],
    ["bytes=-", undefined],
    ["lines=1-2", undefined],
  ];
  for (const [header, expected] of cases) {
    assert.deepEqual(rangeOf(header, 10), expected, String(header));
  }
  assert.equal(rangeOf("bytes=0-", 0), "unsatisfiable");
});

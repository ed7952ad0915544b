import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { type TarHeader, TarReader } from "../../src/images/registry/tar-reader.ts";
import { temporaryFolder } from "../support/temporary.ts";

interface Found {
  readonly header: TarHeader;
  readonly content: string;
}

/** What is in an archive that comes in pieces of this size. */
function entriesOf(bytes: Buffer, size = bytes.length): Found[] {
  const found: Found[] = [];
  let begun: { header: TarHeader; pieces: string[] } | undefined;
  const reader = new TarReader({
    begin: (header) => void (begun = { header, pieces: [] }),
    content: (piece) => void begun?.pieces.push(piece.toString("latin1")),
    end: () => {
      if (begun !== undefined) found.push({ header: begun.header, content: begun.pieces.join("") });
    },
  });
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  reader.finish();
  return found;
}

const byTar = (folder: string, format: string, ...names: string[]): Buffer =>
  execFileSync("tar", ["-C", folder, `--format=${format}`, ...(format === "ustar" ? [] : ["-S"]), "-c", ...names], {
    maxBuffer: 64 * 1024 * 1024,
  });

for (const format of ["gnu", "pax", "ustar"]) {
  it(`reads what tar writes in the format ${format}, in pieces of any size`, async (t) => {
    const folder = await temporaryFolder(t);
    const long = format === "ustar" ? "short" : "n".repeat(200);
    writeFileSync(join(folder, long), "long");
    writeFileSync(join(folder, "ä"), "x".repeat(1000));
    writeFileSync(join(folder, "empty"), "");
    const bytes = byTar(folder, format, long, "ä", "empty");
    for (const size of [bytes.length, 512, 7]) {
      const found = entriesOf(bytes, size).map(({ header: { name }, content }) => [name, content]);
      assert.deepEqual(found, [
        [long, "long"],
        ["ä", "x".repeat(1000)],
        ["empty", ""],
      ]);
    }
  });
}

it("knows the holes of a file, as tar writes them by default", async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, "holes");
  writeFileSync(path, "");
  truncateSync(path, 3 * 1024 * 1024);
  await using file = await open(path, "r+");
  const at = Array.from({ length: 30 }, (_, index) => index * 100_000 - ((index * 100_000) % 4096));
  for (const offset of at) await file.write("x".repeat(4096), offset);
  const [entry] = entriesOf(byTar(folder, "gnu", "holes"), 1000);
  assert.equal(entry?.header.sparse?.size, 3 * 1024 * 1024);
  assert.deepEqual(
    entry?.header.sparse?.parts.filter(({ length }) => length > 0).map(({ offset }) => offset),
    at,
  );
  assert.throws(() => entriesOf(byTar(folder, "pax", "holes")), /packed with holes in a way that is not known/);
});

it("keeps attributes as bytes", () => {
  const value = Buffer.from([1, 0, 0, 2, 0xff, 0x0a, 0x3d]);
  const record = Buffer.concat([Buffer.from(" SCHILY.xattr.security.capability="), value, Buffer.from("\n")]);
  const meta = Buffer.concat([Buffer.from(String(record.length + 2)), record]);
  const found = entriesOf(Buffer.concat([block("x", "pax", meta.length), padded(meta), block("0", "file", 0)]));
  assert.deepEqual(found[0]?.header.attributes.get("security.capability"), value);
});

it("refuses what is no archive, or is cut off in what a file contains", () => {
  const whole = Buffer.concat([block("0", "file", 5), padded(Buffer.from("hello"))]);
  assert.equal(entriesOf(whole)[0]?.content, "hello");
  assert.equal(entriesOf(whole.subarray(0, 517))[0]?.content, "hello");
  assert.throws(() => entriesOf(whole.subarray(0, 516)), /in the middle of an entry/);
  assert.throws(() => entriesOf(Buffer.alloc(600, 1)), /a header has a/);
  assert.throws(() => entriesOf(block("V", "label", 0)), /of a type that is not known/);
  assert.throws(() => entriesOf(block("x", "pax", 2 ** 30)), /names or attributes of/);
});

it("knows sizes beyond eight gigabytes", () => {
  const header = block("0", "huge", 0);
  header.writeUInt8(0x80, 124);
  header.writeUIntBE(0, 125, 5);
  header.writeUIntBE(9_000_000_000, 130, 6);
  seal(header);
  let size = 0;
  const reader = new TarReader({ begin: (entry) => void (size = entry.size), content: () => {}, end: () => {} });
  reader.push(header);
  assert.equal(size, 9_000_000_000);
});

function block(type: string, name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000644\0", 100);
  header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  header.write(type, 156);
  header.write("ustar\u000000", 257, "latin1");
  seal(header);
  return header;
}

function seal(header: Buffer): void {
  header.write("        ", 148);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);

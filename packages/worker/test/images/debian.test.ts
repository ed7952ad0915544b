import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { hostRelease } from "../../src/images/debian.ts";
import { layerId } from "../../src/images/layer-id.ts";
import { temporaryFolder } from "../support/temporary.ts";

it("bootstraps the host's own release, or the proven one where the host is of another family", async (t) => {
  const file = join(await temporaryFolder(t), "os-release");
  const cases: [string, string, string | undefined][] = [
    ['PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_CODENAME=bookworm\nID=debian\n', "bookworm", "3.11"],
    ['ID=debian\nVERSION_CODENAME="trixie"\n', "trixie", "3.13"],
    ["ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy\n", "jammy", "3.10"],
    ["ID=debian\nVERSION_CODENAME=later\n", "later", undefined],
    ["ID=fedora\nVERSION_CODENAME=other\n", "bookworm", "3.11"],
    ["ID=debian\nVERSION_CODENAME=../../etc\n", "bookworm", "3.11"],
  ];
  for (const [text, codename, python] of cases) {
    await writeFile(file, text);
    assert.deepEqual(await hostRelease(file), { codename, python }, text);
  }
  assert.deepEqual(await hostRelease(`${file}-missing`), { codename: "bookworm", python: "3.11" });
});

it("calls a layer by what it is made of", () => {
  assert.match(layerId("bookworm", ["a", 1]), /^bookworm-[0-9a-f]{16}$/);
  assert.equal(layerId("x", ["a", 1]), layerId("x", ["a", 1]));
  assert.notEqual(layerId("x", ["a", 1]), layerId("x", ["a", 2]));
});

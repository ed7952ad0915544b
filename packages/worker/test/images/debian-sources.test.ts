import assert from "node:assert/strict";
import { it } from "node:test";

import { keysOf, sourcesOf } from "../../src/images/debian-sources.ts";

const list = (text: string) => ({ name: "/etc/apt/sources.list", text });
const paragraphs = (text: string) => ({ name: "/etc/apt/sources.list.d/some.sources", text });

it("takes the lines of a release, with its updates and security fixes, and none of another one", () => {
  const found = sourcesOf("bookworm", [
    list(`
# deb http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm-updates main # why
deb http://mirror.example/debian-security bookworm-security main
deb http://mirror.example/debian trixie main
deb http://mirror.example/debian bookworm non-free
`),
  ]);
  assert.equal(found.sources, "");
  assert.deepEqual(
    found.list
      .trim()
      .split("\n")
      .map((line) => /(bookworm\S*) /.exec(line)?.[1]),
    ["bookworm", "bookworm-updates", "bookworm-security"],
  );
});

it("takes paragraphs as they stand, without comments and without what is switched off", () => {
  const found = sourcesOf("bookworm", [
    paragraphs(`# written by an installer
Types: deb deb-src
# a comment in the middle
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-security
Components: main
Enabled: no

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
`),
  ]);
  assert.equal(found.list, "");
  assert.match(found.sources, /^Types: deb deb-src\nURIs: [^\n]+\nSuites: bookworm bookworm-updates\n/);
  assert.equal(found.sources.match(/^Types/gm)?.length, 1);
});

it("leaves out repositories of others that name the same release", () => {
  const own = "deb http://mirror.example/debian bookworm main\n";
  const vendor = "deb [signed-by=/etc/apt/keyrings/vendor.gpg] http://vendor.example bookworm main\n";
  assert.equal(sourcesOf("bookworm", [list(vendor + own)]).list, own);
  // Unless there is no other: a company may sign what it mirrors with a key of its own.
  assert.equal(sourcesOf("bookworm", [list(vendor)]).list, vendor);
  assert.deepEqual(sourcesOf("trixie", [list(vendor + own)]), { list: "", sources: "" });
});

it("names the keys that sources are signed with, but not those that are written out", () => {
  assert.deepEqual(
    keysOf(list("deb [signed-by=/a.gpg,/b.gpg] http://x.example s main\ndeb http://y.example s main\n")),
    ["/a.gpg", "/b.gpg"],
  );
  const inline = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc=\n -----END PGP PUBLIC KEY BLOCK-----\n";
  assert.deepEqual(
    keysOf(paragraphs(`Types: deb\nURIs: http://x.example\nSuites: s\nComponents: main\n${inline}`)),
    [],
  );
});

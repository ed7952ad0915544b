import assert from "node:assert/strict";
import { it } from "node:test";

import { noRegistry, parseRegistries } from "../src/commands/options.ts";

it("reads where registries are asked: one place for the public one, or places by host", () => {
  assert.equal(parseRegistries("none"), noRegistry);
  assert.deepEqual(parseRegistries("https://mirror.example/"), {
    mirrors: { "docker.io": ["https://mirror.example"] },
  });
  assert.deepEqual(
    parseRegistries("ghcr.io=https://a.example/ghcr, reg.lan:5000=http://reg.lan:5000,ghcr.io=https://b.example"),
    {
      mirrors: { "ghcr.io": ["https://a.example/ghcr", "https://b.example"], "reg.lan:5000": ["http://reg.lan:5000"] },
    },
  );
  for (const bad of ["", "mirror.example", "ftp://x.example", "ghcr.io=", "ghcr.io=none"]) {
    assert.throws(() => parseRegistries(bad), /It has to be none, or/, bad);
  }
});

/** The rule of web functions' host names, and whose a host name is. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";

import { endpointHost, type LabelParts, webBase, webLabel } from "../../src/domain/web-address.ts";

const digest = (text: string): string => hash("sha256", text);
const parts = (changes: Partial<LabelParts> = {}): LabelParts => ({
  workspace: "home",
  environment: "",
  app: "shop",
  function: "order",
  label: "",
  suffix: "",
  ...changes,
});

describe("a label", () => {
  const cases: [Partial<LabelParts>, string][] = [
    [{}, "home--shop-order"],
    [{ environment: "test" }, "home-test--shop-order"],
    [{ suffix: "dev" }, "home--shop-order-dev"],
    [{ app: "My Shop.py", function: "Model.Pre_dict" }, "home--my-shop-py-model-pre-dict"],
    [{ label: "front" }, "home--front"],
    [{ label: "front", suffix: "dev" }, "home--front-dev"],
    [{ app: "café" }, "home--caf--order"],
  ];
  for (const [changes, text] of cases) {
    it(`of ${JSON.stringify(changes)} is ${text}`, () => {
      assert.deepEqual(webLabel(parts(changes), digest), { text, truncated: false });
    });
  }

  it("is never longer than a host name may have it, and ends with a digest then", () => {
    const name = "f".repeat(47); // the longest that fits beside home--shop-
    assert.equal(webLabel(parts({ function: name }), digest).text.length, 58);
    const full = `home--shop-${"f".repeat(60)}`;
    const { text, truncated } = webLabel(parts({ function: "f".repeat(60) }), digest);
    assert.deepEqual([text, truncated], [`${full.slice(0, 56)}-${digest(full).slice(0, 6)}`, true]);
    const dev = webLabel(parts({ function: "f".repeat(60), suffix: "dev" }), digest).text;
    assert.equal(dev, `${full.slice(0, 52)}-${digest(full).slice(0, 6)}-dev`);
    assert.equal(dev.length, 63);
  });
});

describe("a host name", () => {
  const settings = {
    publicUrl: "http://127.0.0.1:8700",
    web: { customDomains: ["shop.example.com", "*.example.org"] },
  };
  const own = { publicUrl: "https://lydian.example.com", web: { url: "https://example.com", customDomains: [] } };

  it("is a label, a domain of the user's own, or the platform's", () => {
    for (const [host, found] of [
      ["home--a-b.localhost:8700", "home--a-b"],
      ["HOME--A-B.LOCALHOST.", "home--a-b"],
      ["shop.example.com", "shop.example.com"],
      ["a.example.org:80", "a.example.org"],
      ["a.b.example.org", undefined],
      ["example.org", undefined],
      ["127.0.0.1:8700", undefined],
      ["localhost:8700", undefined],
      ["", undefined],
      ["notlocalhost", undefined],
    ] as const) {
      assert.equal(endpointHost(host, settings), found, host);
    }
    assert.equal(endpointHost("home--a-b.example.com", own), "home--a-b");
    assert.equal(endpointHost("lydian.example.com", own), undefined, "the platform's own, below its domain");
  });

  it("has an address with the platform's port, or its domain's", () => {
    assert.equal(webBase(settings).urlOf("home--a-b"), "http://home--a-b.localhost:8700");
    assert.equal(webBase(settings).urlOf("shop.example.com"), "http://shop.example.com:8700");
    assert.equal(webBase(own).urlOf("home--a-b"), "https://home--a-b.example.com");
  });
});

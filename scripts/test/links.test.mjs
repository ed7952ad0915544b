import assert from "node:assert/strict";
import { test } from "node:test";
import { checkLinks } from "../check/links.mjs";
import { sampleTree } from "./sample-tree.mjs";

const page = [
  "# The *first* heading: `code()`, and more",
  "## Twice",
  "## Twice",
  '<a id="by-hand"></a>',
  "```sh",
  "# not a heading",
  "```",
  "## [Linked](https://example.org) & Größe",
].join("\n");

/** @type {Record<string, string>} */
const alive = {
  file: "[a](docs/page.md)",
  "file with title": '[a](docs/page.md "Title")',
  folder: "[a](docs)",
  "root path": "[a](/docs/page.md)",
  anchor: "[a](docs/page.md#the-first-heading-code-and-more)",
  "repeated heading": "[a](docs/page.md#twice-1)",
  "explicit id": "[a](docs/page.md#by-hand)",
  "heading with a link": "[a](docs/page.md#linked--größe)",
  "own heading": "# Here\n[a](#here)",
  "line of source": "[a](docs/a.ts#L10)",
  "other host": "[a](https://example.org/none.md) [b](mailto:a@example.org)",
  code: "`[a](none.md)` and\n```md\n[a](none.md)\n```\n",
  image: "![a](docs/a.png)",
  "link around an image": "[![a](docs/a.png)](docs/page.md)",
};

/** @type {Record<string, [markdown: string, fault: RegExp]>} */
const dead = {
  file: ["[a](docs/none.md)", /^README\.md:1: docs\/none\.md leads to no file$/],
  "third line": ["x\n[a\nb](none.md)", /^README\.md:3: /],
  anchor: ["[a](docs/page.md#none)", /docs\/page\.md has no such heading/],
  "heading inside a code block": ["[a](docs/page.md#not-a-heading)", /no such heading/],
  "third of two headings": ["[a](docs/page.md#twice-2)", /no such heading/],
  "own anchor": ["[a](#none)", /README\.md has no such heading/],
  reference: ["[a][b]\n\n[b]: none.md", /^README\.md:\d+: none\.md leads to no file$/],
  image: ["![a](docs/none.png)", /leads to no file/],
  html: ['<img width="3" src="docs/none.png">', /leads to no file/],
  "link around an image": ["[![a](docs/a.png)](none.md)", /none\.md leads to no file/],
  outside: ["[a](../elsewhere.md)", /leads out of the repository/],
  "after a code block": ["```\n[a](b)\n```\n[a](none.md)", /^README\.md:4: /],
};

const files = { "docs/page.md": page, "docs/a.ts": "", "docs/a.png": "" };

for (const [title, markdown] of Object.entries(alive)) {
  test(`links: alive: ${title}`, (t) => {
    assert.deepEqual(checkLinks(sampleTree(t, { ...files, "README.md": markdown })), []);
  });
}

for (const [title, [markdown, fault]] of Object.entries(dead)) {
  test(`links: dead: ${title}`, (t) => {
    const findings = checkLinks(sampleTree(t, { ...files, "README.md": markdown }));
    assert.equal(findings.length, 1, findings.join("\n"));
    assert.match(findings[0] ?? "", fault);
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkArrows } from "../check/arrows.mjs";
import { listImports } from "../check/imports.mjs";
import { sampleTree } from "./sample-tree.mjs";

const packages = ["cli", "contract", "dashboard", "kit", "server", "testkit", "worker"];
const manifests = Object.fromEntries(
  packages.map((name) => {
    const others = packages.filter((other) => other !== name).map((other) => [`@lydian/${other}`, "0.1.0"]);
    const manifest = { name: `@lydian/${name}`, dependencies: Object.fromEntries(others) };
    return [`packages/${name}/package.json`, JSON.stringify(manifest)];
  }),
);

// The keywords apart from the rest, or this file's own text would be read as imports.
const [imports, exports, url] = ["import", "export", "new URL"];
/** @param {string} target */
const from = (target, clause = "{ a }") => `${imports} ${clause} from "${target}";\n`;
/** @param {string} target */
const late = (target) => `const a = await ${imports}("${target}");\n`;

/** @type {Record<string, [path: string, source: string, fault: RegExp | undefined]>} */
const samples = {
  "server to worker": ["packages/server/src/a.ts", from("@lydian/worker"), /server must not import worker/],
  "worker to server, late": ["packages/worker/src/a.ts", late("@lydian/server"), /worker must not import server/],
  "worker to server, in a test": ["packages/worker/test/a.ts", from("@lydian/server"), /worker must not import server/],
  "server to kit": ["packages/server/src/a.ts", from("@lydian/kit"), undefined],
  "source to testkit": ["packages/server/src/a.ts", from("@lydian/testkit"), /must not import testkit/],
  "a package's test to testkit": ["packages/server/test/a.test.ts", from("@lydian/testkit"), undefined],
  "a story to anything": ["tests/host/a.test.ts", from("@lydian/testkit") + from("@lydian/worker"), undefined],
  "an example to testkit": ["examples/demo.ts", from("@lydian/testkit"), /must not import testkit/],
  "scripts to a package": ["scripts/a.mjs", from("@lydian/kit"), /scripts must not import kit/],
  "across a border": ["packages/server/src/a.ts", from("../../kit/src/a.ts"), /crosses a package's border/],
  "across a border, from tests": ["tests/host/a.test.ts", from("../../packages/kit/src/a.ts"), /crosses/],
  "to the tests": ["packages/server/src/a.ts", from("../../../tests/a.ts"), /only tests import tests/],
  "source to its tests": ["packages/server/src/a.ts", from("../test/a.ts"), /does not import its tests/],
  "types across a types-only arrow": ["packages/dashboard/src/a.ts", from("@lydian/contract", "type { A }"), undefined],
  "values across a types-only arrow": ["packages/dashboard/src/a.ts", from("@lydian/contract"), /only types/],
  "an undeclared package": ["packages/kit/src/a.ts", from("left-pad/x"), /left-pad is not a dependency/],
  "an unknown package": ["packages/extra/package.json", '{ "name": "@lydian/extra" }', /not in the table/],
  "calls to scheduler": [
    "packages/server/src/calls/a.ts",
    from("../scheduler/a.ts"),
    /calls must not import scheduler/,
  ],
  "calls to scheduler, types": ["packages/server/src/calls/a.ts", from("../scheduler/a.ts", "type { A }"), /scheduler/],
  "rpc to calls": ["packages/server/src/rpc/a.ts", from("../calls/submit.ts"), undefined],
  "calls to rpc": ["packages/server/src/calls/a.ts", from("../rpc/a.ts"), /calls must not import rpc/],
  "rpc to store": ["packages/server/src/rpc/a.ts", from("../store/a.ts"), /rpc must not import store/],
  "store to calls": ["packages/server/src/store/a.ts", from("../calls/a.ts"), /store must not import calls/],
  "domain to calls": ["packages/server/src/domain/a.ts", from("../calls/a.ts"), /domain must not import calls/],
  "domain to node": ["packages/server/src/domain/a.ts", from("node:fs"), /domain is pure/],
  "domain to types of contract": ["packages/server/src/domain/a.ts", from("@lydian/contract", "type { A }"), undefined],
  "domain to values of contract": ["packages/server/src/domain/a.ts", from("@lydian/contract"), /domain is pure/],
  "anyone to errors": ["packages/server/src/domain/a.ts", from("../errors.ts"), undefined],
  "anyone to main": ["packages/server/src/calls/a.ts", from("../main.ts"), /must not import the wiring/],
  "main to anything": ["packages/server/src/main.ts", from("./rpc/a.ts") + from("./store/a.ts"), undefined],
  "errors to a use case": ["packages/server/src/errors.ts", from("./calls/a.ts"), /imports only domain/],
  "a new folder": ["packages/server/src/extra/a.ts", from("../domain/a.ts"), /server\/src\/extra has no layer/],
  "generated code": ["packages/kit/src/gen/a.ts", from("@lydian/server"), undefined],
};

for (const [title, [path, source, fault]] of Object.entries(samples)) {
  test(`arrows: ${title} is ${fault ? "refused" : "allowed"}`, (t) => {
    const findings = checkArrows(sampleTree(t, { ...manifests, [path]: source }));
    if (fault) assert.match(findings.join("\n"), fault);
    else assert.deepEqual(findings, []);
  });
}

test("imports: found in every form, with their lines, and not in comments", () => {
  const source = [
    `// ${from("commented")}`,
    `/* a\n${from("commented")} */`,
    from("several", "{\n  a,\n  type B,\n}"),
    from("types", "{ type A, type B }"),
    from("everything", "* as all"),
    `${exports} * from "./again.ts";`,
    `${imports} "effect";`,
    `const paths = ["packages/*/src", "b"]; ${late("late")}`,
    `${url}("./asset.py", import.meta.url)`,
  ].join("\n");
  const found = listImports(source).map(({ specifier, typeOnly }) => (typeOnly ? `type ${specifier}` : specifier));
  const all = ["./again.ts", "./asset.py", "effect", "everything", "late", "several", "type types"];
  assert.deepEqual(found.toSorted(), all);
  assert.deepEqual(
    listImports(`\n\n${from("third")}`).map(({ line }) => line),
    [3],
  );
});

// The list of supported clients, the names for its two ends and what set-up installs agree.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { newestPythonClient, oldestPythonClient, supportedPythonClients } from "../src/index.ts";

test("the clients are listed oldest first", () => {
  const sorted = supportedPythonClients.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
  assert.deepEqual(sorted, [...supportedPythonClients]);
  assert.equal(oldestPythonClient, sorted.at(0));
  assert.equal(newestPythonClient, sorted.at(-1));
});

test("set-up installs these clients", () => {
  const { python }: { python?: unknown } = JSON.parse(
    readFileSync(new URL("../clients.json", import.meta.url), "utf8"),
  );
  assert.deepEqual(python, [...supportedPythonClients]);
});

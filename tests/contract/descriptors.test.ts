// Our description of the wire against the descriptors inside every supported public client.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as contract from "@lydian/contract";
import { contradiction, FactIndex, factsOf } from "./facts.ts";

const cacheFolder = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const venvs = process.env["LYDIAN_VENVS"] ?? join(cacheFolder, "lydian", "venvs");

function factsOfClient(version: contract.PythonClientVersion): FactIndex {
  const python = join(venvs, `modal-${version}`, "bin", "python");
  if (!existsSync(python)) {
    throw new Error(`The Python client ${version} is not installed (${python}). Run: node scripts/setup.mjs --clients`);
  }
  const dump = join(import.meta.dirname, "dump_descriptors.py");
  const bytes = execFileSync(python, [dump], { maxBuffer: 16 * 1024 * 1024 });
  return new FactIndex(fromBinary(FileDescriptorSetSchema, bytes).file);
}

/** Every file of ours in a package of the wire. */
function ourFiles(): FileDescriptorProto[] {
  return Object.values(contract)
    .filter((value) => typeof value === "object" && "kind" in value && value.kind === "file")
    .map((file) => file.proto)
    .filter((file) => file.package.startsWith("modal."));
}

/** Fields of Function that the older clients know and do not send. */
const unsent: ReadonlySet<string> = new Set(["use_function_id", "use_method_name"]);

/** RPCs whose reply said nothing to the clients of before: they read past what it says now. */
const saidNothing = /^modal\.client\.ModalClient\.AppRollback: .*\(google\.protobuf\.Empty\)"$/;

const ours = ourFiles().flatMap((file) => [...factsOf(file)]);

describe("the wire's description", () => {
  const read = new Map<contract.PythonClientVersion, FactIndex>();
  const client = (version: contract.PythonClientVersion): FactIndex => {
    const facts = read.get(version) ?? factsOfClient(version);
    read.set(version, facts);
    return facts;
  };

  for (const version of contract.supportedPythonClients) {
    test(`is not contradicted by the Python client ${version}`, () => {
      const theirs = client(version);
      const found = ours.map((fact) => contradiction(fact, theirs)).filter((text) => text !== undefined);
      assert.equal(found.filter((text) => !saidNothing.test(text)).join("\n"), "");
    });
  }

  test("names nothing that no supported client knows", () => {
    const known = contract.supportedPythonClients.map(client);
    const unknown = ours.filter((fact) => !known.some((theirs) => theirs.named(fact) !== undefined));
    assert.equal(unknown.map((fact) => `${fact.owner}.${fact.name}`).join("\n"), "");
  });

  // The server's tests say what becomes of each of these: none may be missed.
  for (const message of ["Function", "FunctionOptions", "Resources", "SchedulerPlacement", "AutoscalerSettings"]) {
    test(`has every field of ${message} that a supported client sends`, () => {
      const owner = `modal.client.${message}`;
      const has = new Set(ours.filter((fact) => fact.owner === owner).map(({ name }) => name));
      const theirs = contract.supportedPythonClients.flatMap((version) => client(version).fieldsOf(owner));
      const missing = theirs.map(({ name }) => name).filter((name) => !has.has(name) && !unsent.has(name));
      assert.deepEqual([...new Set(missing)], []);
    });
  }

  test("covers the main service", () => {
    const methods = ours.filter((fact) => fact.owner === "modal.client.ModalClient");
    assert.equal(methods.length, contract.ModalClient.methods.length);
  });
});

/** Out of a function's container, as the stock client makes it: no known way is open, nor the way to be somebody else. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { modal, newestClient, platformOfFile, usualRuntime } from "@lydian/testkit";

import { openCanaries } from "../host/runc/escapes/canaries.ts";
import { ways } from "../host/runc/escapes/ways.ts";
import { app } from "./stories.ts";

const skip = usualRuntime === "runc" ? false : "containers cannot run here: root, runc, conmon and nft are needed";
const platform = skip === false ? await platformOfFile({ runtime: "runc" }) : undefined;

/** The function's own program has descriptors open; what is left open is looked for where it has none. */
const names = Object.keys(ways).filter((name) => name !== "left_open_descriptors");

test("every known way out is closed", { skip }, async () => {
  assert.ok(platform);
  await using canaries = await openCanaries(platform.data, join(platform.data, "door"));
  await using run = modal(platform, newestClient, [
    ...["run", "-q", app("escapes.py::out")],
    ...["--canaries", JSON.stringify(canaries), "--names", names.join(",")],
  ]);
  const lines = (await run.finishWith(0)).trim().split("\n");
  assert.deepEqual(
    lines.filter((line) => !/^\w+ closed/.test(line)),
    [],
  );
  assert.equal(lines.length, names.length);
});

test("a container is itself at its door, and no user", { skip }, async () => {
  assert.ok(platform);
  await using run = modal(platform, newestClient, ["run", "-q", app("escapes.py::somebody_else")]);
  const { attempts, ...rest } = JSON.parse(await run.finishWith(0)) as { attempts: Record<string, unknown> };
  assert.deepEqual(rest, { "said by": "the holder" });
  const { FunctionPutOutputs, TokenFlowCreate, ...others } = attempts;
  // Taken as the late word of a container that no longer holds the input, and ignored.
  assert.equal(FunctionPutOutputs, "OK");
  assert.match(String(TokenFlowCreate), /UNIMPLEMENTED|PERMISSION_DENIED/);
  const denied = `ContainerStop AppStop AppList AppCreate FunctionCreate ImageGetOrCreate TokenInfoGet AppGetLogs Session`;
  assert.deepEqual(others, {
    ...Object.fromEntries(denied.split(" ").map((name) => [name, "PERMISSION_DENIED"])),
    "another's door": "closed",
    content: 403,
    blob: 403,
  });
  // What the other container tried is what ends an input when the container that holds it says so.
  await using forging = modal(platform, newestClient, ["run", "-q", app("escapes.py::somebody_else"), "--forges"]);
  assert.equal(await forging.finishWith(0), "forged\n");
});

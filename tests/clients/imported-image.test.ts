/** An image of a file, for a machine without a registry. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import {
  missingClient,
  modal,
  newestClient,
  Platform,
  runLydian,
  temporaryFolder,
  usualRuntime,
} from "@lydian/testkit";

import { dockerArchive } from "../host/images/real-registry.ts";
import { app } from "./stories.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "images are made with containers";

test("an image is there once it is imported, for clients as for the next import", { skip }, async () => {
  await using folder = await temporaryFolder();
  process.env["LYDIAN_CACHE"] = join(folder.path, "cache"); // what is imported is nobody else's
  await mkdir(process.env["LYDIAN_CACHE"]);
  await using platform = await Platform.start({ args: ["--registry", "none"] });
  const file = join(folder.path, "image.tar");
  await dockerArchive(file, ["team/from-file:1"], [[{ name: "srv/data", content: "x", mode: 0o644 }]]);
  await using before = modal(platform, newestClient, ["run", app("imported.py")]);
  await before.finish(60_000);
  assert.match(
    before.output.replaceAll(/[\s│]+/g, " "),
    /there is no image docker\.io\/team\/from-file:1; tried: no registry/,
  );
  await using imported = runLydian(["image", "import", file]);
  assert.equal(await imported.finishWith(0), "docker.io/team/from-file:1\n");
  await using run = modal(platform, newestClient, ["run", app("imported.py")]);
  assert.match(await run.finishWith(0), /^it is made$/m);
});

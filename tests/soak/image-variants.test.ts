/** The default image with each Python, by each builder: it takes minutes where nothing of it is there yet. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { missingClient, modal, newestClient, Platform, usualRuntime } from "@lydian/testkit";

import { Interpreters } from "@lydian/worker/src/runners/interpreters";

import { app } from "../clients/stories.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "images are made with containers";
const patienceMs = 30 * 60_000;

/** With the Pythons that the newest client offers for them. */
const builders = { "2025.06": "3.10 3.11 3.12 3.13 3.14", "2026.10": "3.11 3.12 3.13 3.14" };

for (const [builder, pythons] of Object.entries(builders)) {
  test(
    `the builder ${builder} makes images with all Pythons of this host`,
    { skip, timeout: patienceMs },
    async (t) => {
      await using platform = await Platform.start({ runtime: "runc" });
      const env = { MODAL_IMAGE_BUILDER_VERSION: builder, MINORS: pythons };
      await using run = modal(platform, newestClient, ["run", app("image_variants.py")], { env });
      const output = await run.finishWith(0, patienceMs);
      const [, made = ""] = /^made (.*)$/m.exec(output) ?? [];
      const { minor } = await new Interpreters().any();
      assert.ok(made.split(" ").includes(minor), output);
      t.diagnostic(`made ${made}${[...output.matchAll(/^refused .{0,200}/gm)].map(([line]) => `; ${line}`).join("")}`);
    },
  );
}

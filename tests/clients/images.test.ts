/** Images of the stock clients: every method that makes one, and what its maker sees of the making. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { PlatformError } from "@lydian/kit";
import { listProcesses, missingClient, modal, newestClient, Platform, platformOfFile, until } from "@lydian/testkit";

import { describePython, isDistributions } from "@lydian/worker/src/images/host-python-files";
import { Interpreters } from "@lydian/worker/src/runners/interpreters";

import { app } from "./stories.ts";
import { tellStories } from "./told-stories.ts";

/** The clients' own minor, which functions that travel as bytes need. */
const python = "3.11";

/** Whether this host has one that can be added to images: the distribution's own cannot. */
async function isCopyable(): Promise<boolean> {
  try {
    return !isDistributions(await describePython(await new Interpreters().find(python)));
  } catch (error) {
    if (error instanceof PlatformError) return false; // there is none
    throw error;
  }
}

const platform = await platformOfFile();

const env = (await isCopyable()) ? { COPYABLE_PYTHON: python } : {};

tellStories(platform, "images.py", { env });

const skip = missingClient(newestClient);

test("an image that is there is taken at once, without a word", { skip }, async () => {
  const program = ["run", `${app("images.py")}::main`];
  await using first = modal(platform, newestClient, program, { env: { ...env, STORIES: "packages_by_apt" } });
  await first.finishWith(0);
  assert.doesNotMatch(first.output, /=> Step/, "nothing is made a second time");
});

test("a step that never ends is given up after the time that a build may take", { skip }, async () => {
  // Not sooner: the base is there, but a busy machine may take a second for the first container.
  await using hasty = await Platform.start({ times: { build: 4_000 } });
  await using run = modal(hasty, newestClient, ["run", app("endless.py")]);
  await run.sees("it begins");
  assert.match(await run.finishWith(0), /^it was given up$/m);
  const left = (): unknown[] => listProcesses().filter(({ command }) => command.join(" ") === "sleep 31415");
  await until(
    10_000,
    async () => left().length === 0,
    () => "its command still runs",
  );
});

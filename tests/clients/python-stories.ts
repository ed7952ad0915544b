/** Apps that tell stories (apps/story.py): one run of the app per version of the client, and a test for each story. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { after, before, describe, test } from "node:test";

import { type Platform, type Program, clientVersions, missingClient, modal } from "@lydian/testkit";

import { app } from "./stories.ts";

interface Story {
  name: string;
  title: string;
  /** Versions of the client that have the feature. */
  only: RegExp;
}

/** For all stories of one run: containers of several functions start in it, on a machine that does other things, too. */
const runMs = 110_000;

/** Makes the tests. Only the versions named, where it is not all of them. */
export function tellStories(platform: Platform, file: string, versions: readonly string[] = clientVersions): void {
  const path = app(file);
  const stories = storiesIn(readFileSync(path, "utf8"));
  assert.ok(stories.length > 0, `${path} has no stories`);
  for (const version of versions) {
    describe(`${basename(file, ".py")}, client ${version}`, { skip: missingClient(version) }, () => {
      let run: Program;
      before(() => {
        run = modal(platform, version, ["run", `${path}::main`]);
      });
      after(() => run[Symbol.asyncDispose]());
      for (const { name, title, only } of stories) {
        if (only.test(version)) test(title, () => passes(run, name));
      }
      test("the app ends well", async () => void (await run.finishWith(0)));
    });
  }
}

async function passes(run: Program, name: string): Promise<void> {
  const line = new RegExp(`^story ${name} (passed|failed) (.*)$`, "m");
  await run.sees(line, runMs);
  const [, end, why = ""] = line.exec(run.output) ?? [];
  if (end !== "passed") assert.fail(String(JSON.parse(why)));
}

/** Their titles are the first lines of their docstrings. */
function storiesIn(source: string): Story[] {
  const pattern = /^@story\((?:only=r?"(.*)")?\)\ndef (\w+)\(\):\n\s+"""(.*?)\.?(?:"""|\n)/gm;
  const stories = [...source.matchAll(pattern)].map(([, only = "", name = "", title = ""]) => ({
    name,
    title,
    only: new RegExp(`^(?:${only})`),
  }));
  assert.equal(stories.length, source.match(/^@story/gm)?.length, "a story's title or name is not understood");
  return stories;
}

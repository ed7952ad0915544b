/**
 * Programs that tell stories (apps/story.py): one run of a program, and a test for each story in it, which waits for the
 * line that tells its end.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { after, before, describe, test } from "node:test";

import {
  type OtherClient,
  type Platform,
  type Program,
  type ProgramOptions,
  missingClient,
  modal,
  testedClients,
} from "@lydian/testkit";

import { app } from "./stories.ts";

interface Telling {
  what: string;
  titles: readonly string[];
  skip: string | false;
  run: () => Promise<Program>;
}

/** For all stories of one run: containers of several functions start in it, on a machine that does other things, too. */
const runMs = 110_000;

/**
 * Of an app in apps/, with every version of the Python client that has what a story tells of. The stories stand in that
 * file, or in the others that are named here.
 */
export function tellStories(
  platform: Platform,
  file: string,
  options?: ProgramOptions,
  others: readonly string[] = [],
): void {
  const source = (others.length > 0 ? others : [file]).map((each) => readFileSync(app(each), "utf8")).join("");
  // The title is the first line of the docstring.
  const pattern = /^@story\((?:only=r?"(.*)")?\)\ndef \w+\(\):\n\s+"""(.*?)\.?(?:"""|\n)/gm;
  const stories = [...source.matchAll(pattern)].map(([, only = "", title = ""]) => ({ only, title }));
  assert.equal(stories.length, source.match(/^@story/gm)?.length, `a story's title in ${file} is not understood`);
  for (const version of testedClients) {
    tell({
      what: `${basename(file, ".py")}, client ${version}`,
      titles: stories.flatMap(({ only, title }) => (new RegExp(`^(?:${only})`).test(version) ? [title] : [])),
      skip: missingClient(version),
      run: () => Promise.resolve(modal(platform, version, ["run", `${app(file)}::main`], options)),
    });
  }
}

/** Of a program in another language, which calls an app that this version has deployed. */
export function tellForeignStories(platform: Platform, client: OtherClient, deployed: string, version: string): void {
  const source = readFileSync(app(client.source), "utf8");
  tell({
    what: `${client.language}, functions of ${version}`,
    titles: [...source.matchAll(/^\s*story\("(.*)",/gm)].map(([, title = ""]) => title),
    skip: client.missing || missingClient(version),
    run: async () => {
      await using deploy = modal(platform, version, ["deploy", app(deployed)]);
      await deploy.finishWith(0);
      return client.run(platform);
    },
  });
}

function tell({ what, titles, skip, run }: Telling): void {
  assert.ok(titles.length > 0, `${what} has no stories`);
  describe(what, { skip }, () => {
    let program: Program;
    before(async () => {
      program = await run();
    });
    after(() => program?.[Symbol.asyncDispose]());
    for (const title of titles) test(title, () => passes(program, title));
    test("the program ends well", async () => void (await program.finishWith(0)));
  });
}

async function passes(program: Program, title: string): Promise<void> {
  const line = new RegExp(`^story ${RegExp.escape(JSON.stringify(title))} (passed|failed) (.*)$`, "m");
  await program.sees(line, runMs);
  const [, end, why = ""] = line.exec(program.output) ?? [];
  if (end !== "passed") assert.fail(String(JSON.parse(why)));
}

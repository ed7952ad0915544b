/** `modal image …`: an image made or pulled by a command, its log, and its names. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { clientVersions, missingClient, modal, newestClient, platformOfFile } from "@lydian/testkit";

import { app } from "./stories.ts";

const platform = await platformOfFile();

/** Of the clients that have these commands; the oldest has none. */
const others = clientVersions.filter((version) => !version.startsWith("1.3."));

async function image(version: string, ...args: string[]): Promise<string> {
  await using run = modal(platform, version, ["image", ...args]);
  return await run.finishWith(0);
}

const skip = missingClient(newestClient);
const built = app("built");

test(
  "`modal image build` makes one of a Dockerfile under a name, and its log is there for each client",
  { skip },
  async () => {
    const output = await image(newestClient, "build", "-t", "made:v1", built, "--force-build");
    assert.match(output, /Step 1: RUN mkdir/);
    const [imageId = ""] = /im-\w+/.exec(output) ?? [];
    assert.match(output, /Image published as made:v1/);
    for (const version of others.filter((each) => missingClient(each) === false)) {
      const log = await image(version, "logs", imageId, "--all");
      assert.match(log, /=> Step 1: RUN mkdir[^]*=> Step \d: RUN cat by-stage > copied/, version);
    }
  },
);

test("`modal image pull` takes one of a registry, and the second time what is there", { skip }, async () => {
  const args = ["pull", "docker.io/library/debian:bookworm-slim", "--name", "pulled"];
  assert.match(await image(newestClient, ...args), /Image published as pulled:latest/);
  assert.match(await image(newestClient, ...args), /Used a cached pull of docker\.io\/library\/debian:bookworm-slim/);
});

test("`modal image names` lists names and what they stood for, and deletes them", { skip }, async () => {
  const listed = async (): Promise<{ tag: string; image_id: string }[]> =>
    JSON.parse(await image(newestClient, "names", "list", "--json")) as { tag: string; image_id: string }[];
  assert.deepEqual(
    (await listed()).map(({ tag }) => tag),
    ["made:v1", "pulled:latest"],
  );
  for (const version of others.filter((each) => missingClient(each) === false)) {
    assert.match(await image(version, "names", "list", "--prefix", "ma"), /made:v1/, version);
    const [entry] = JSON.parse(await image(version, "names", "history", "made:v1", "--json")) as { image_id: string }[];
    assert.match(entry?.image_id ?? "", /^im-/);
  }
  await image(newestClient, "names", "delete", "made:v1", "--yes");
  assert.deepEqual(
    (await listed()).map(({ tag }) => tag),
    ["pulled:latest"],
  );
});

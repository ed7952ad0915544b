/** Functions that are steps of images, with the stock clients. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import {
  type FunctionProcess,
  isRunning,
  listProcesses,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  type Program,
  until,
} from "@lydian/testkit";

import { app, goOn } from "./stories.ts";
import { tellStories } from "./told-stories.ts";

const platform = await platformOfFile();

const skip = missingClient(newestClient);

const wait = (name: string): Program => modal(platform, newestClient, ["run", app("called.py"), "--name", name]);

/** The function's process, once it is called for the nth time. */
async function called(run: Program, name: string, times: number): Promise<FunctionProcess> {
  const line = new RegExp(`^${name} is called in (ta-\\w+)$`, "gm");
  await run.sees(new RegExp(`(?:${line.source}[^]*){${times}}`, "m"));
  const containerId = [...run.output.matchAll(line)].at(-1)?.[1] ?? "";
  const found = listProcesses().findLast(
    ({ command, environment }) => command[1] === "-m" && environment.get("MODAL_TASK_ID") === containerId,
  );
  assert.ok(found, platform.describe(`${name} does not run`));
  return { ...found, containerId };
}

/** What the image's topmost layer consists of. */
async function filesIn(imageId: string): Promise<string[]> {
  const file = join(platform.data, "worker", "images", `${imageId}.json`);
  const { layers } = JSON.parse(await readFile(file, "utf8")) as { layers: string[] };
  return await readdir(join(platform.names.layers, layers[0] ?? "", "diff"), { recursive: true });
}

let left: FunctionProcess;

test("a function's client is killed while it runs", { skip }, async () => {
  await using run = wait("left");
  left = await called(run, "left", 1);
  run.signal("SIGKILL");
});

tellStories(platform, "image_functions.py");

test("it has ended meanwhile, as nobody waits for its image", { skip }, async () => {
  await until(
    30_000,
    async () => !isRunning(left),
    () => "it still runs",
  );
});

test("a function is called again when its worker is killed, and goes on when the server is", { skip }, async () => {
  await using run = wait("waited");
  await called(run, "waited", 1);
  await platform.replaced("worker", await platform.kill("worker"));
  const second = await called(run, "waited", 2);
  await platform.replaced("server", await platform.kill("server"));
  assert.ok(isRunning(second));
  await goOn(second);
  const output = await run.finishWith(0);
  assert.equal(output.match(/is called in/g)?.length, 2, output);
  const [, imageId = ""] = /^image (im-\w+)$/m.exec(output) ?? [];
  assert.deepEqual((await filesIn(imageId)).sort(), ["made", "root"], "nothing of the platform's or of the program's");
});

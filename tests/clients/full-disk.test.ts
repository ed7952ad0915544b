/** Functions that fill the disk that they share with the platform, which goes on. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";

import { modal, newestClient, platformOfFile, SmallDisk, until, usualRuntime } from "@lydian/testkit";

import { app } from "./stories.ts";

const skip = usualRuntime === "runc" ? ((await SmallDisk.lack()) ?? false) : "containers cannot run here";
const disk = skip === false ? await SmallDisk.make(800) : undefined;
/** Keeps next to nothing free, so that the disk does become full before the platform makes room. */
const args = ["--disk-reserve", "1"];
const platform = disk && (await platformOfFile({ runtime: "runc", data: join(disk.path, "data"), args }));
after(() => disk?.[Symbol.asyncDispose]()); // after the platform's own end

const mebibyte = 2 ** 20;

async function fill(name: string): Promise<string> {
  assert.ok(disk && platform);
  const before = await disk.freeBytes();
  await using run = modal(platform, newestClient, ["run", "-q", app("disk.py::main"), "--name", name]);
  const output = await run.finishWith(0, 110_000);
  assert.doesNotMatch(output, /a neighbour fails/);
  assert.match(output, /^the neighbour has answered [1-9]\d* times$/m);
  assert.match(output, /^the next call answers 42$/m);
  const isBack = async (): Promise<boolean> => (await disk.freeBytes()) > before - 20 * mebibyte;
  await until(10_000, isBack, () => platform.describe("the room is not given back"));
  return output;
}

test(
  "a function fills the disk: it ends and says so, its neighbour goes on, the room is given back",
  { skip },
  async () => {
    const output = await fill("fills");
    assert.match(output, /^RemoteError: .* 3 containers .*ran out of disk \(the machine's disk was nearly full/m);
  },
);

test("a function that goes beyond its own limit ends, and says what that is", { skip }, async () => {
  const output = await fill("limited");
  assert.match(
    output,
    /^RemoteError: .*ran out of disk \(it has filled \d+ MiB, and its limit is 64 MiB; .*ephemeral_disk/m,
  );
});

/** A platform whose stored files lie in a bucket of an S3-compatible store on loopback. */
import assert from "node:assert/strict";
import { chmod, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import {
  bucketServer,
  makeBucket,
  missingClient,
  modal,
  newestClient,
  noBuckets,
  Platform,
  runLydian,
  temporaryFolder,
} from "@lydian/testkit";

const skip = noBuckets || missingClient(newestClient);

test(
  "stored files lie in the bucket, over restarts too, and a backup has them",
  { skip, timeout: 400_000 },
  async () => {
    await using folder = await temporaryFolder();
    await chmod(folder.path, 0o755);
    await using store = await bucketServer();
    await makeBucket(store.endpoint, "files");
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" });
    const place = (prefix: string): string => `s3://files/${prefix}?endpoint=${encodeURIComponent(store.endpoint)}`;
    const client = async (platform: Platform, ...args: string[]): Promise<string> => {
      await using run = modal(platform, newestClient, args);
      return await run.finishWith(0);
    };
    const lydian = async (...args: string[]): Promise<string> => {
      await using run = runLydian(args, { LYDIAN_CACHE: join(folder.path, "cache") });
      await run.finishWith(0);
      return run.output;
    };
    const stored = async (data: string): Promise<string[]> =>
      (await readdir(join(data, "server", "content"), { recursive: true })).filter((path) =>
        /[0-9a-f]{64}$/.test(path),
      );
    const file = join(folder.path, "weights");
    await writeFile(file, "what was learnt");
    const archive = join(folder.path, "one.tar");
    {
      await using first = await Platform.start({ runtime: "process", args: ["--content", place("first")] });
      await client(first, "volume", "create", "models");
      await client(first, "volume", "put", "models", file, "/weights");
      await first.replaced("server", await first.kill("server"));
      assert.match(await client(first, "volume", "get", "models", "weights", "-"), /^what was learnt/);
      assert.deepEqual(await stored(first.data), []);
      const objects = await (await fetch(`${store.endpoint}/files?list-type=2&prefix=first/`)).text();
      assert.match(objects, /<Key>first\/[0-9a-f]{64}<\/Key>/);
      await lydian("backup", archive, "--data", first.data);
      const deep = await lydian("doctor", "--deep", "--runtime", "process", "--port", "0", "--data", first.data);
      assert.match(deep, /ok +Content +1 stored file is what/);
    }
    for (const [name, args] of [
      ["disk", []],
      ["bucket", ["--content", place("second")]],
    ] as const) {
      const data = join(folder.path, name);
      await lydian("restore", archive, "--data", data, ...args);
      await using second = await Platform.start({ runtime: "process", data });
      assert.match(await client(second, "volume", "get", "models", "weights", "-"), /^what was learnt/);
      assert.equal((await stored(data)).length, name === "disk" ? 1 : 0);
    }
  },
);

/** Functions that mount buckets of an S3-compatible store on loopback. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
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
  type Program,
  until,
} from "@lydian/testkit";

const skip = noBuckets || missingClient(newestClient);
const script = join(import.meta.dirname, "cloud_bucket.py");

/** The store says that all it has is a version of something, which stores say of buckets with versions alone. */
async function withoutVersions(store: string): Promise<AsyncDisposable & { endpoint: string }> {
  const server = createServer((incoming, outgoing) => {
    const { method, url } = incoming;
    const { expect: _answered, ...headers } = incoming.headers;
    const passed = request(new URL(url ?? "/", store), { method, headers }, (answer) => {
      const { "x-amz-version-id": _version, ...kept } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 500, kept);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a bucket is a folder of a container, whatever is killed", { skip, timeout: 400_000 }, async () => {
  await using moto = await bucketServer();
  await using store = await withoutVersions(moto.endpoint);
  const { endpoint } = store;
  await makeBucket(endpoint, "data");
  await fetch(`${endpoint}/data/models/weights`, { method: "PUT", body: "what was learnt" });
  await using platform = await Platform.start({ args: ["--bucket-store", endpoint] });
  const run = (entrypoint: string, env: Record<string, string> = {}, listens?: true): Program =>
    modal(platform, newestClient, ["run", `${script}::${entrypoint}`], {
      env: { ENDPOINT: endpoint, ...env },
      ...(listens && { listens }),
    });
  const tools = () => platform.processes().filter(({ command }) => command.includes("mount"));
  {
    await using client = run("app.main", {}, true);
    const asks = async (step: string): Promise<string> => {
      const before = client.stdout.length;
      client.tell(`${step}\n`);
      const answer = (): string | undefined => new RegExp(`^${step}: .*$`, "m").exec(client.stdout.slice(before))?.[0];
      return await until(90_000, answer, () => `no answer to ${step}: ${client.output}`);
    };
    const digest = createHash("sha256");
    for (let i = 0; i < 32; i++) digest.update(Buffer.alloc(2 ** 20, i));
    assert.match(await asks("writes"), new RegExp(digest.digest("hex")));
    const headers = { authorization: "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request" };
    const stored = await fetch(`${endpoint}/data/notes/first.txt`, { headers });
    assert.equal(await stored.text(), "from a container");
    assert.match(await asks("is_refused"), /refused/);
    assert.match(await asks("sees_no_key"), /none/);
    assert.equal(tools().length, 2);

    await platform.replaced("worker", await platform.kill("worker"));
    await until(
      30_000,
      () => platform.log.includes("took over containers"),
      () => platform.describe("the container is not taken over"),
    );
    const container = /is_there: (\S+)/.exec(await asks("is_there"))?.[1];
    const before = tools();
    for (const { pid } of before) process.kill(pid, "SIGKILL");
    await until(
      20_000,
      () => tools().length === 2 && tools().every(({ pid }) => before.every((each) => each.pid !== pid)),
      () => platform.describe("the buckets are not mounted again"),
    );
    await asks("is_there");
    client.tell("end\n");
    await client.finishWith(0);
    assert.ok(container);
    assert.equal(client.stdout.split(`is_there: ${container}`).length, 3);
  }
  await until(
    30_000,
    () => tools().length === 0,
    () => platform.describe("processes of buckets are left"),
  );
  {
    await using lost = run("lost.tries", { BUCKET: "nowhere" });
    assert.notEqual((await lost.finish(60_000)).code, 0);
    assert.match(lost.output, /bucket "nowhere"/);
  }
  {
    await using lost = run("lost.tries", { BUCKET: "data", ENDPOINT: moto.endpoint }); // which the operator has not named
    assert.notEqual((await lost.finish(60_000)).code, 0);
    assert.match(lost.output.replaceAll(/[\s│]+/g, " "), /bucket "data"/);
  }
  {
    await using refused = run("refused.is_refused_at_once");
    assert.notEqual((await refused.finish(60_000)).code, 0);
    assert.match(refused.output.replaceAll(/[\s│]+/g, " "), /opened by a role of its own/);
  }
  await platform.stop();
});

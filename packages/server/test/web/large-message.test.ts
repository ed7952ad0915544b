/** A piece of an answer that came as a blob: read piece by piece, and refused when it is something else. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { it } from "node:test";

import { ContentStore } from "../../src/content/content-store.ts";
import { isFail } from "../../src/errors.ts";
import { encodeMessage } from "../../src/web/asgi.ts";
import { largeMessage } from "../../src/web/large-message.ts";
import { testStore } from "../support/open-store.ts";

it("a large piece of an answer is read as it was said, and nothing else is taken for one", async () => {
  await using test = await testStore();
  const content = await ContentStore.open(`${test.folder}/content`);
  const read = async (bytes: Uint8Array): Promise<[number, number, boolean | undefined]> => {
    const { sha256, size } = await content.put(Readable.from([Buffer.from(bytes)]));
    const id = test.newId("bl");
    await test.does((tx) => tx.blobs.put({ id, sha256, size, complete: true, createdAt: 0 }));
    const pieces: number[] = [];
    let more: boolean | undefined;
    for await (const message of largeMessage({ store: test.store, content }, id)) {
      assert.equal(message.case, "httpResponseBody");
      if (message.case !== "httpResponseBody") continue;
      pieces.push(message.value.body.length);
      more = message.value.moreBody;
    }
    return [Math.max(...pieces), pieces.reduce((sum, each) => sum + each, 0), more];
  };
  const said = (size: number, moreBody: boolean): Uint8Array =>
    encodeMessage({ case: "httpResponseBody", value: { body: new Uint8Array(size).fill(7), moreBody } });
  const large = 5 * 1024 * 1024;
  const [largest, all, more] = await read(said(large, true));
  assert.ok(largest <= 1024 * 1024, `in pieces of ${largest}`);
  assert.deepEqual([all, more], [large, true]);
  assert.deepEqual((await read(said(3, false))).slice(1), [3, false]);
  for (const wrong of [
    encodeMessage({ case: "httpResponseStart", value: { status: 200 } }),
    said(100, true).subarray(0, 50),
    Buffer.concat([said(100, true), new Uint8Array(100)]),
    new Uint8Array(),
  ]) {
    await assert.rejects(read(wrong), (error) => isFail(error, "invalidArgument"));
  }
});

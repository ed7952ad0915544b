/** What a caller and a container say to each other: in order, once, as fast as the other end takes it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { DataFormat } from "@lydian/contract";
import { turns } from "@lydian/testkit";

import type { Chunk } from "../../src/domain/chunk.ts";
import { isFail } from "../../src/errors.ts";
import { encodeBody, encodeMessage } from "../../src/web/asgi.ts";
import { Exchange } from "../../src/web/exchange.ts";

const noBlobs = (): never => assert.fail("there are no blobs here");
const forever = (): AbortSignal => new AbortController().signal;
const piece = (size: number): Uint8Array => new Uint8Array(size);
const chunk = (index: number, text: string): Chunk => ({
  index,
  dataFormat: DataFormat.ASGI,
  data: encodeMessage({ case: "httpResponseBody", value: { body: Buffer.from(text), moreBody: true } }),
});
const begin = (): Exchange => new Exchange("fc-1", "fu-1");

/** All that is there to take now. */
function taken(exchange: Exchange): string[] {
  const texts: string[] = [];
  while (exchange.hasNext) {
    const message = exchange.next();
    texts.push(message?.case === "httpResponseBody" ? Buffer.from(message.value.body).toString() : "?");
  }
  return texts;
}

describe("what a container says", () => {
  it("is taken once, though its request comes again", async () => {
    const exchange = begin();
    await exchange.hear([chunk(1, "a"), chunk(2, "b")], noBlobs);
    await exchange.hear([chunk(1, "a"), chunk(2, "b"), chunk(3, "c")], noBlobs);
    assert.deepEqual(taken(exchange), ["a", "b", "c"]);
  });

  it("must have no gaps", async () => {
    await assert.rejects(begin().hear([chunk(2, "b")], noBlobs), (error) => isFail(error, "invalidArgument"));
  });

  it("waits when more is there than is taken, and no longer when nobody takes anything", async () => {
    for (const frees of ["taken", "closed"]) {
      const exchange = begin();
      let isOver = false;
      const hearing = exchange.hear([chunk(1, "x".repeat(2 * 1024 * 1024))], noBlobs).then(() => (isOver = true));
      await turns();
      assert.equal(isOver, false);
      if (frees === "taken") exchange.next();
      else exchange.close();
      await hearing;
    }
  });

  it("is still there to take when its call has ended", async () => {
    const exchange = begin();
    await exchange.hear([chunk(1, "a")], noBlobs);
    exchange.end("finished");
    await exchange.ready();
    assert.deepEqual(taken(exchange), ["a"]);
  });
});

describe("what a caller says", () => {
  it("is heard in order, and waits when it is not heard", async () => {
    const exchange = begin();
    let said = 0;
    const saying = (async () => {
      for (; said < 8; said++) await exchange.say(piece(512 * 1024));
    })();
    await turns();
    assert.equal(said, 2, "the third one waits");
    const words = exchange.listen(0, forever());
    for (let index = 1; index <= 8; index++) assert.equal((await words.next()).value?.index, index);
    await saying;
  });

  it("is heard again from where a stream broke, as far as it is kept", async () => {
    const exchange = begin();
    for (let i = 0; i < 4; i++) void exchange.say(piece(512 * 1024));
    const broken = exchange.listen(0, forever());
    for (let i = 0; i < 4; i++) await broken.next();
    const again = exchange.listen(2, forever());
    assert.deepEqual([(await again.next()).value?.index, (await again.next()).value?.index], [3, 4]);
    await assert.rejects(exchange.listen(0, forever()).next(), (error) => isFail(error, "aborted"));
  });

  it("is waited for until its listener leaves", async () => {
    const exchange = begin();
    const leaves = new AbortController();
    const next = exchange.listen(0, leaves.signal).next();
    leaves.abort();
    assert.equal((await next).done, true);
  });
});

it("a piece of a body is encoded as the codec does it, in however many pieces it lies", () => {
  for (const sizes of [[], [0], [1], [127], [128, 0, 200], [70_000, 16_384]]) {
    for (const moreBody of [true, false]) {
      const pieces = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
      const whole = encodeMessage({ case: "httpRequest", value: { body: Buffer.concat(pieces), moreBody } });
      assert.deepEqual(Buffer.from(encodeBody(pieces, moreBody)), Buffer.from(whole), `${sizes.join("+")} ${moreBody}`);
    }
  }
});

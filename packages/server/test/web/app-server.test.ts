/** Requests carried to a real HTTP server: what it is asked, what it answers, and all the ways in which it can break off. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, it } from "node:test";

import { until } from "@lydian/testkit";
import { WebSocketServer } from "ws";

import { fail } from "../../src/errors.ts";
import { AppServer } from "../../src/web/app-server.ts";
import { type AsgiMessage, encodeMessage, type WebRequest } from "../../src/web/asgi.ts";
import { Exchange } from "../../src/web/exchange.ts";

const get: WebRequest = {
  kind: "http",
  scheme: "http",
  httpVersion: "1.1",
  method: "GET",
  target: "/a?b=c",
  headers: [
    ["Host", "home--app-hello"],
    ["Connection", "close"],
    ["X-Forwarded-For", "6.6.6.6"],
  ],
  client: { host: "10.0.0.1", port: 5 },
  guarded: false,
};
const post: WebRequest = { ...get, method: "POST", headers: [...get.headers, ["Transfer-Encoding", "chunked"]] };

/** A server, and what leads to it; `opened` counts connections. */
async function scene(answer: RequestListener) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const opened: Socket[] = [];
  const app = new AppServer(async () => {
    const socket = connect(port, "127.0.0.1");
    opened.push(socket);
    await once(socket, "connect");
    return socket;
  });
  return {
    app,
    server,
    opened,
    async [Symbol.asyncDispose]() {
      app.close();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const says = (body: string, moreBody = false): Uint8Array =>
  encodeMessage({ case: "httpRequest", value: { body: Buffer.from(body), moreBody } });

/** What there is to take, as text: a status, pieces of a body. */
function taken(exchange: Exchange): string[] {
  const words: string[] = [];
  for (let word: AsgiMessage | undefined; (word = exchange.next()) !== undefined;) {
    if (word.case === "httpResponseStart") words.push(String(word.value.status));
    else if (word.case === "httpResponseBody") words.push(Buffer.from(word.value.body).toString());
    else words.push(word.case ?? "");
  }
  return words;
}

async function carried(app: AppServer, request: WebRequest, ...words: Uint8Array[]) {
  const exchange = new Exchange("fc-1", "fu-1");
  for (const word of words.length > 0 ? words : [says("")]) void exchange.say(word);
  const ended = await app.carry(exchange, request);
  return [ended, ...taken(exchange)];
}

describe("a request that is carried", () => {
  it("arrives as it was sent, but for what is of the connection, and says who calls", async () => {
    const seen: string[] = [];
    await using it = await scene((request, response) => {
      seen.push(`${request.method} ${request.url}`, ...request.rawHeaders);
      response.end("hello");
    });
    assert.deepEqual(await carried(it.app, get), ["finished", "200", "hello"]);
    assert.deepEqual(seen, ["GET /a?b=c", "host", "home--app-hello", "x-forwarded-for", "10.0.0.1"]);
  });

  it("has a connection that another one had, unless it may not be made twice", async () => {
    await using it = await scene((_request, response) => void response.end("ok"));
    for (let i = 0; i < 3; i++) assert.deepEqual(await carried(it.app, get), ["finished", "200", "ok"]);
    assert.equal(it.opened.length, 1);
    await carried(it.app, post, says("a", true), says("b"));
    assert.equal(it.opened.length, 2);
  });

  it("is made again when the connection that it had was closed meanwhile", async () => {
    let count = 0;
    await using it = await scene((request, response) => {
      if (++count === 2) request.socket.destroy();
      else response.end(`${count}`);
    });
    assert.deepEqual(await carried(it.app, get), ["finished", "200", "1"]);
    assert.deepEqual(await carried(it.app, get), ["finished", "200", "3"]);
  });

  it("brings its body in pieces", async () => {
    await using it = await scene((request, response) => void request.pipe(response));
    const [ended, status, ...pieces] = await carried(
      it.app,
      post,
      says("one ", true),
      says("two ", true),
      says("three"),
    );
    assert.deepEqual([ended, status, pieces.join("")], ["finished", "200", "one two three"]);
  });

  it("may be answered before its body has ended, which nobody reads then", async () => {
    await using it = await scene(
      (_request, response) => void response.writeHead(413, { "content-length": 2 }).end("no"),
    );
    assert.deepEqual(await carried(it.app, post, says("one", true)), ["finished", "413", "no"]);
  });

  it("ends with what its server says before it breaks off", async () => {
    await using it = await scene((_request, response) => {
      response.writeHead(200).write("half", () => response.destroy());
    });
    const [ended, status] = await carried(it.app, get);
    assert.deepEqual([ended, status], ["failed", "200"]);
  });

  it("ends at once where nobody listens", async () => {
    const app = new AppServer(() => Promise.reject(fail("unavailable", "refused")));
    assert.deepEqual(await carried(app, get), ["unreachable"]);
    assert.deepEqual(await carried(app, { ...get, kind: "websocket" }), ["unreachable"]);
  });

  it("ends its server's work when its caller is gone", async () => {
    let isClosed = false;
    await using it = await scene((_request, response) => void response.on("close", () => (isClosed = true)).write("x"));
    const exchange = new Exchange("fc-1", "fu-1");
    void exchange.say(says(""));
    const ended = it.app.carry(exchange, get);
    await exchange.ready();
    exchange.close();
    assert.equal(await ended, "failed");
    await until(
      5_000,
      () => isClosed,
      () => "it goes on",
    );
  });
});

describe("a body that is much larger than all buffers", () => {
  const piece = Buffer.alloc(1024 * 1024);
  const pieces = 128;
  /** What sockets of this machine and the exchange may hold at most, and some more, in pieces. */
  const held = 48;
  /** Others have had their turns. */
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };

  it("is not taken from its server faster than its caller takes it", async () => {
    let given = 0;
    await using it = await scene((_request, response) => {
      const give = (): void => {
        while (given < pieces) {
          given++;
          if (!response.write(piece)) return void response.once("drain", give);
        }
        response.end();
      };
      give();
    });
    const exchange = new Exchange("fc-1", "fu-1");
    void exchange.say(says(""));
    const ended = it.app.carry(exchange, get);
    let bytes = 0;
    for (let isLast = false; !isLast;) {
      await exchange.ready();
      const word = exchange.next();
      if (word?.case !== "httpResponseBody") continue;
      bytes += word.value.body.length;
      isLast = !word.value.moreBody;
      await turns();
      assert.ok(given - bytes / piece.length < held, `${given} were given, ${bytes} bytes are taken`);
    }
    assert.deepEqual([await ended, bytes], ["finished", pieces * piece.length]);
  });

  it("is not taken from its caller faster than its server reads it", async () => {
    let said = 0;
    let bytes = 0;
    let reading: Promise<void> | undefined;
    const read = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        await turns();
        assert.ok(said - bytes / piece.length < held, `${said} are said, ${bytes} bytes are read`);
      }
      response.end("all");
    };
    await using it = await scene((request, response) => {
      reading = read(request, response);
      reading.catch(() => request.destroy()); // awaited below
    });
    const exchange = new Exchange("fc-1", "fu-1");
    const ended = it.app.carry(exchange, post).then((how) => {
      exchange.end(how);
      return how;
    });
    for (; said < pieces; said++)
      await exchange.say(encodeMessage({ case: "httpRequest", value: { body: piece, moreBody: true } }));
    await exchange.say(says(""));
    const how = await ended;
    await reading;
    assert.deepEqual([how, bytes, taken(exchange)], ["finished", pieces * piece.length, ["200", "all"]]);
  });
});

it("a web socket has its protocol, its messages and its close", async () => {
  await using it = await scene(() => assert.fail("it is a socket"));
  const sockets = new WebSocketServer({ server: it.server, handleProtocols: () => "second" });
  sockets.on("connection", (socket) => {
    socket.on("message", (data: Buffer, isBinary) => {
      socket.send(isBinary ? data : `${data.toString()}!`, { binary: isBinary });
      if (data.toString() === "end") socket.close(4001, "enough");
    });
  });
  const exchange = new Exchange("fc-1", "fu-1");
  const hears = (content: { case: "text"; value: string } | { case: "bytes"; value: Uint8Array }): void =>
    void exchange.say(encodeMessage({ case: "websocketReceive", value: { content } }));
  void exchange.say(encodeMessage({ case: "websocketConnect", value: {} }));
  hears({ case: "text", value: "well" });
  hears({ case: "bytes", value: Buffer.from([1, 2]) });
  hears({ case: "text", value: "end" });
  const headers = [["Sec-WebSocket-Protocol", "first, second"]] as const;
  assert.equal(await it.app.carry(exchange, { ...get, kind: "websocket", headers }), "finished");
  const words: unknown[] = [];
  for (let word = exchange.next(); word !== undefined; word = exchange.next()) {
    if (word.case === "websocketAccept") words.push(word.value.subprotocol);
    if (word.case === "websocketSend") words.push(word.value.content.value);
    if (word.case === "websocketClose") words.push([word.value.code, word.value.reason]);
  }
  assert.deepEqual(words, ["second", "well!", new Uint8Array([1, 2]), "end!", [4001, "enough"]]);
  sockets.close();
});

/** Web functions through the port: what a careful reverse proxy passes on, refuses and ends, with an application in this process. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { transition } from "../../src/calls/transition.ts";
import { createProxyToken } from "../../src/identity/proxy-tokens.ts";
import { endContainer } from "../../src/containers/end.ts";
import { answersOk, type Application, type Asked, body, start, webScene, type WebScene } from "../support/web-scene.ts";
import { rawConnection, readAll, startDoor } from "./rig.ts";

const get = (host: string, lines = "", path = "/"): string => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines}\r\n`;
const closing = "connection: close\r\n";
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);

function headersOf({ scope }: Asked): [string, string][] {
  return (scope["headers"] as [Buffer, Buffer][]).map(([name, value]) => [
    name.toString("latin1"),
    value.toString("latin1"),
  ]);
}

/** Resolves in the turn after that in which this is true. */
async function comes(what: () => unknown): Promise<void> {
  for (let turn = 0; turn < 10_000; turn++) {
    if (what()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.fail(`it does not come: ${what.toString()}`);
}

test("an answer of a server is told, with its path alone", async () => {
  await using it = await webScene(async (asked) => {
    asked.exchange.isOfServer = true;
    await answersOk(asked);
  });
  await it.raw(get(it.host, closing, "/some/path?secret=1"));
  await comes(() => it.heard.length === 1);
  const [told] = it.heard;
  assert.ok(told?.kind === "requestAnswered");
  const { functionId, route, status } = told.request;
  assert.deepEqual([functionId, route, status], [it.of.id, "/some/path", 200]);
});

test("a request arrives as it was sent, without what is of the connection and what only a proxy may say", async () => {
  await using it = await webScene(answersOk);
  const lines = [
    "X-Many: 1",
    "x-many: 2",
    "Cookie: a=\xe9",
    "connection: close, X-Hop",
    "x-hop: 1",
    "te: trailers",
    "upgrade: h2c",
    "x-forwarded-for: 6.6.6.6",
    "X_Forwarded_For: 6.6.6.6",
    "x_real_ip: 6.6.6.6",
    "true-client-ip: 6.6.6.6",
    "cf-connecting-ip: 6.6.6.6",
    "proxy: http://evil",
    "content_length: 7",
    "forwarded: for=6.6.6.6",
    "",
  ];
  const answer = await it.raw(get(it.host, lines.join("\r\n"), "/a%20b/%E2%82%AC%zz?x=%20&y"));
  assert.equal(statusOf(answer), 200);
  const [asked] = it.asked;
  assert.ok(asked);
  assert.deepEqual(headersOf(asked), [
    ["host", it.host],
    ["x-many", "1"],
    ["x-many", "2"],
    ["cookie", "a=\xe9"],
  ]);
  const { scope } = asked;
  assert.deepEqual(
    [scope["type"], scope["method"], scope["http_version"], scope["scheme"], scope["path"], scope["root_path"]],
    ["http", "GET", "1.1", "http", "/a b/€%zz", ""],
  );
  assert.deepEqual(scope["raw_path"], Buffer.from("/a%20b/%E2%82%AC%zz"));
  assert.deepEqual(scope["query_string"], Buffer.from("x=%20&y"));
  assert.equal((scope["client"] as unknown[])[0], "127.0.0.1");
});

test("a request for a host that has no function is answered with help, and one for the platform by the platform", async () => {
  await using it = await webScene(answersOk);
  const unknown = await it.raw(get("nobody.localhost:8700", closing));
  assert.match(
    unknown,
    /^HTTP\/1\.1 404 [^]*No web function has the address nobody\.localhost:8700\. .*prints the addresses/,
  );
  for (const host of ["127.0.0.1", "localhost", "nobody.example"]) {
    assert.match(await it.raw(get(host, closing)), /^HTTP\/1\.1 404 [^]*There is nothing at \//, host);
  }
  assert.deepEqual(it.asked, []);
});

test("a request through a container's door is for the platform, whatever its host", async () => {
  await using it = await webScene(answersOk);
  // The rig's port knows no door: it closes the connection instead of bringing it to the function.
  await using door = await startDoor(it.rig.port.number, "secret");
  const socket = await rawConnection(door.port, get(it.host, closing));
  assert.equal(await readAll(socket), "");
  assert.deepEqual(it.asked, []);
});

test("a request with headers that come slowly, or are too many, is given up", async () => {
  await using it = await webScene(answersOk, { headersTimeoutMs: 200 });
  assert.equal(statusOf(await it.raw(`GET / HTTP/1.1\r\nhost: ${it.host}\r\nx: `)), 408);
  assert.equal(statusOf(await it.raw(get(it.host, `x: ${"y".repeat(140_000)}\r\n`))), 431);
  assert.deepEqual(it.asked, []);
});

test("a request whose body comes slowly is given up before an application is asked, or ends it", async () => {
  await using it = await webScene(async ({ receive, send }) => {
    while ((await receive()).case === "httpRequest") continue;
    await send(start(200), body("never"));
  });
  const small = await rawConnection(
    it.rig.port.number,
    `POST / HTTP/1.1\r\nhost: ${it.host}\r\ncontent-length: 9\r\n\r\nab`,
  );
  const ended = readAll(small);
  await comes(() => it.clock.pending > 0);
  await it.clock.advance(60_000);
  assert.equal(statusOf(await ended), 408);
  assert.deepEqual(it.asked, []);
  const dripping = await rawConnection(
    it.rig.port.number,
    `POST / HTTP/1.1\r\nhost: ${it.host}\r\ncontent-length: 9\r\n\r\n`,
  );
  const givenUp = readAll(dripping);
  for (let second = 0; second < 60; second += 20) {
    await comes(() => it.clock.pending > 0);
    const before = dripping.bytesWritten;
    dripping.write("x");
    await comes(() => dripping.bytesWritten > before);
    await it.clock.advance(20_000);
  }
  assert.equal(statusOf(await givenUp), 408);
  assert.deepEqual(it.asked, []);
  const large = await rawConnection(
    it.rig.port.number,
    `POST / HTTP/1.1\r\nhost: ${it.host}\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n`,
  );
  const alsoEnded = readAll(large);
  await comes(() => it.asked.length === 1);
  await it.clock.advance(60_000);
  assert.equal(statusOf(await alsoEnded), 408);
});

test("a request with too large a body is refused, whether it says so or not", async () => {
  await using it = await webScene(
    async ({ receive, send }) => {
      for (let more = true; more;) {
        const message = await receive();
        if (message.case !== "httpRequest") return;
        more = message.value.moreBody;
      }
      await send(start(200), body("all of it"));
    },
    { settings: { limits: { webBodyBytes: 100_000 } } },
  );
  const head = `POST / HTTP/1.1\r\nhost: ${it.host}\r\n`;
  assert.equal(statusOf(await it.raw(`${head}content-length: 100001\r\n\r\n`)), 413);
  assert.deepEqual(it.asked, []);
  const chunk = `${(60_000).toString(16)}\r\n${"x".repeat(60_000)}\r\n`;
  const chunked = `${head}transfer-encoding: chunked\r\n${closing}\r\n`;
  assert.equal(statusOf(await it.raw(`${chunked}${chunk}${chunk}0\r\n\r\n`)), 413);
  assert.match(await it.raw(`${chunked}${chunk}0\r\n\r\n`), /^HTTP\/1\.1 200 [^]*all of it/);
});

test("a request needs a token where the function is guarded, which the application does not see", async () => {
  await using it = await webScene(answersOk, { guarded: true });
  const { id, secret } = await it.does((tx, context) => createProxyToken(tx, { name: "", createdBy: "home" }, context));
  const given = `modal-key: ${id}\r\nmodal-secret: ${secret}\r\n`;
  for (const wrong of ["", `modal-key: ${id}\r\n`, given.replace(secret, "ws-x"), given.replace(id, "wk-x")]) {
    assert.match(await it.raw(get(it.host, wrong + closing)), /^HTTP\/1\.1 401 [^]*www-authenticate: /i);
  }
  assert.equal(statusOf(await it.raw(get(it.host, given + closing))), 200);
  assert.equal(statusOf(await it.raw(get(it.host, `authorization: Bearer ${id}.${secret}\r\n${closing}`))), 200);
  assert.deepEqual(
    it.asked.map((asked) => headersOf(asked).map(([name]) => name)),
    [["host"], ["host"]],
  );
});

test("an answer passes as it is, without what is of the connection", async () => {
  const headers = [
    "Set-Cookie",
    "a=1",
    "set-cookie",
    "b=2",
    "connection",
    "x-hop",
    "x-hop",
    "1",
    "content-encoding",
    "br",
  ];
  await using it = await webScene(({ send }) =>
    send(start(203, [...headers, "transfer-encoding", "chunked", "keep-alive", "1"]), body("a", true), body("b")),
  );
  const answer = await it.raw(get(it.host, closing));
  assert.match(answer, /^HTTP\/1\.1 203 [^]*Set-Cookie: a=1\r\nset-cookie: b=2\r\ncontent-encoding: br\r\n/);
  assert.match(answer, /\r\n2\r\nab\r\n0\r\n\r\n$/);
  assert.doesNotMatch(answer, /x-hop|keep-alive: 1/i);
});

test("an answer that is no HTTP becomes 502", async () => {
  const wrong = [
    start(101),
    start(99),
    start(700),
    start(200, ["x", "a\r\nset-cookie: evil=1"]),
    start(200, ["x y", "1"]),
    start(200, ["content-length", "1", "content-length", "2"]),
    start(200, ["content-length", "-1"]),
    body("without a head"),
  ];
  let next = 0;
  await using it = await webScene(({ send }) => send(wrong[next++] ?? start(200), body("x")));
  for (const message of wrong) {
    const answer = await it.raw(get(it.host, closing));
    assert.equal(statusOf(answer), 502, JSON.stringify(message));
    assert.doesNotMatch(answer, /evil/);
  }
});

test("an answer that is longer or shorter than it says ends the connection, so that nothing is taken for another answer", async () => {
  const texts = ["short", "much too long: HTTP/1.1 200 OK"];
  let next = 0;
  await using it = await webScene(({ send }) => send(start(200, ["content-length", "10"]), body(texts[next++] ?? "")));
  for (const text of texts) {
    const answer = await it.raw(get(it.host) + get(it.host, closing, "/second"));
    assert.doesNotMatch(answer, /second|200 OK[^]*200 OK/, text);
  }
});

test("an answer to HEAD, and one that says that there is nothing, has no body", async () => {
  const heads = [start(200, ["content-length", "5"]), start(204), start(304, ["content-length", "5"])];
  let next = 0;
  await using it = await webScene(({ send }) => send(heads[next++] ?? start(200), body("hello")));
  for (const method of ["HEAD", "GET", "GET"]) {
    const answer = await it.raw(get(it.host, closing).replace("GET", method));
    assert.match(answer, /\r\n\r\n$/, answer);
  }
});

test("an answer may come before the request's body has: the next request on the connection is understood", async () => {
  await using it = await webScene(answersOk);
  const post = `POST / HTTP/1.1\r\nhost: ${it.host}\r\ntransfer-encoding: chunked\r\n\r\n`;
  const socket = await rawConnection(it.rig.port.number, `${post}5\r\nGET /\r\n`);
  const [first] = (await once(socket, "data")) as [Buffer];
  assert.equal(statusOf(first.toString()), 200);
  socket.write(`0\r\n\r\n${get(it.host, closing, "/second")}`);
  assert.equal(statusOf(await readAll(socket)), 200);
  assert.deepEqual(
    it.asked.map(({ scope }) => scope["path"]),
    ["/", "/second"],
  );
});

test("an answer goes out in the order of the requests, when several come at once", async () => {
  const waits = Promise.withResolvers<void>();
  await using it = await webScene(
    async ({ scope, send }) => {
      if (scope["path"] === "/first") await waits.promise;
      await send(start(200, ["content-length", "7"]), body((scope["path"] as string).padEnd(7)));
    },
    { policy: { maxConcurrency: 2 } },
  );
  const answer = it.raw(get(it.host, "", "/first") + get(it.host, closing, "/secon"));
  await comes(() => it.asked.length === 2);
  waits.resolve();
  assert.match(await answer, /\/first [^]*\/secon /);
});

test("a request is not taken from its caller faster than the container reads it", async () => {
  const reads = Promise.withResolvers<void>();
  let bytes = 0;
  await using it = await webScene(async ({ receive, send }) => {
    await reads.promise;
    for (let more = true; more;) {
      const message = await receive();
      if (message.case !== "httpRequest") return;
      bytes += message.value.body.length;
      more = message.value.moreBody;
    }
    await send(start(200), body(String(bytes)));
  });
  const all = 64 * 1024 * 1024;
  const socket = await rawConnection(
    it.rig.port.number,
    `POST / HTTP/1.1\r\nhost: ${it.host}\r\n${closing}content-length: ${all}\r\n\r\n`,
  );
  const answer = readAll(socket);
  socket.write(Buffer.alloc(all));
  await comes(() => it.asked.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(socket.bytesWritten - socket.writableLength < all / 2, "all of it was taken, and nothing read");
  reads.resolve();
  assert.match(await answer, new RegExp(`\\r\\n${all}\\r\\n`));
});

test("an answer is not taken from the container faster than the caller reads it", async () => {
  const piece = "x".repeat(1024 * 1024);
  let given = 0;
  await using it = await webScene(async ({ send }) => {
    await send(start(200));
    for (; given < 64; given++) await send(body(piece, true));
    await send(body(""));
  });
  const socket = await rawConnection(it.rig.port.number);
  socket.pause();
  socket.write(get(it.host, closing));
  await comes(() => given > 0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(given < 32, `${given} MiB were taken, and none read`);
  const all = readAll(socket);
  socket.resume();
  assert.ok((await all).length > 64 * piece.length);
  assert.equal(given, 64);
});

test("an answer that its caller does not take is given up, whether more of it is to come or not", async () => {
  const piece = "x".repeat(1024 * 1024);
  await using it = await webScene(
    async ({ scope, send }) => {
      await send(start(200));
      if (scope["path"] === "/whole") return await send(body(piece.repeat(32)));
      for (let i = 0; i < 64; i++) await send(body(piece, true));
    },
    { settings: { times: { webBodySilence: 100 } }, policy: { maxConcurrency: 2 } },
  );
  for (const path of ["/", "/whole"]) {
    const socket = await rawConnection(it.rig.port.number);
    socket.pause();
    socket.write(get(it.host, "", path));
    await comes(() => it.rig.port.connections === 1);
    await comes(() => it.rig.port.connections === 0);
    socket.destroy();
  }
  assert.deepEqual(
    it.asked.map(({ exchange }) => exchange.isGivenUp),
    [true, false],
  );
});

test("an answer may pause for longer than its caller may, and the connection lives on", async () => {
  const waits = Promise.withResolvers<void>();
  const piece = "x".repeat(1024 * 1024);
  await using it = await webScene(
    async ({ send }) => {
      await send(start(200), body(piece, true));
      await waits.promise;
      await send(body("last"));
    },
    { settings: { times: { webBodySilence: 50 } } },
  );
  const socket = await rawConnection(it.rig.port.number, get(it.host) + get(it.host, closing));
  const answers = readAll(socket);
  await comes(() => it.asked.length > 0 && it.rig.port.connections === 1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  waits.resolve();
  assert.equal([...(await answers).matchAll(/last\r\n0\r\n/g)].length, 2);
});

/** Never answers; `ends` says how its call does. */
async function endsWith(ends: (it: WebScene, asked: Asked) => Promise<void>): Promise<string> {
  const never: Application = () => new Promise(() => {});
  await using it = await webScene(never);
  const answer = it.raw(get(it.host, closing));
  await comes(() => it.asked.length === 1);
  const [asked] = it.asked;
  if (asked !== undefined) await ends(it, asked);
  return await answer;
}

const fails =
  (status: "timeout" | "terminated" | "failure") =>
  async (it: WebScene, { inputId }: Asked) =>
    it.does(async (tx, context) => {
      const input = await tx.inputs.get(inputId);
      if (input !== undefined) {
        await transition(tx, input, { kind: "fail", failure: { status, message: "secret words" } }, context);
      }
    });

test("a call that ends without an answer is told of by its status alone", async () => {
  const answers = {
    504: await endsWith(fails("timeout")),
    503: await endsWith(fails("terminated")),
    502: await endsWith(({ does, containerId }) =>
      does((tx, context) => endContainer(tx, containerId, { reason: "exited", code: 1 }, context)),
    ),
  };
  for (const [status, answer] of Object.entries(answers)) {
    assert.equal(statusOf(answer), Number(status));
    assert.doesNotMatch(answer, /secret words/);
  }
  assert.match(answers[503], /retry-after: 1/i);
  await using silent = await webScene(async () => {});
  assert.equal(statusOf(await silent.raw(get(silent.host, closing))), 500);
});

test("a call that ends without an answer is not repeated when its container is lost, as nobody knows what it has done", async () => {
  await using it = await webScene(() => new Promise(() => {}));
  const answer = it.raw(get(it.host, closing));
  await comes(() => it.asked.length === 1);
  await it.does((tx, context) => endContainer(tx, it.containerId, { reason: "lost" }, context));
  assert.equal(statusOf(await answer), 502);
  assert.deepEqual(await it.store.read((tx) => tx.inputs.waiting(it.of.id, 10)), []);
});

test("a call that ends without an answer is not even begun when too many wait", async () => {
  await using it = await webScene(() => new Promise(() => {}), {
    settings: { limits: { queuedSync: 1 } },
    policy: { maxConcurrency: 1 },
  });
  await it.does((tx, context) => endContainer(tx, it.containerId, { reason: "stopped" }, context));
  const waiting = it.raw(get(it.host));
  await comes(() => it.clock.pending > 0);
  await it.clock.settle();
  const refused = await it.raw(get(it.host, closing));
  assert.match(refused, /^HTTP\/1\.1 503 [^]*retry-after: 1/i);
  void waiting.catch(() => {});
});

test("a caller that hangs up has its function asked to end, and the container is spared", async () => {
  const heard: (string | undefined)[] = [];
  await using it = await webScene(async ({ receive }) => {
    for (;;) {
      const message = await receive();
      heard.push(message.case);
      if (message.case === "httpDisconnect") return await new Promise(() => {});
    }
  });
  const socket = await rawConnection(it.rig.port.number, get(it.host));
  await comes(() => heard.length > 0);
  socket.destroy();
  await comes(() => heard.includes("httpDisconnect"));
  const [asked] = it.asked;
  await comes(() => asked?.exchange.over.signal.aborted);
  await it.clock.settle();
  const input = await it.store.read((tx) => tx.inputs.get(asked?.inputId ?? ""));
  assert.deepEqual([input?.ending?.status, input?.ending?.sparesContainer], ["terminated", true]);
});

test("a caller whose answer takes long is sent to ask again, and gets it then; or not, after a time", async () => {
  const waits = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let next = 0;
  await using it = await webScene(
    async ({ send }) => {
      await waits[next++]?.promise;
      await send(start(200), body("at last"));
    },
    { policy: { maxConcurrency: 2 } },
  );
  const sent = async (): Promise<string> => {
    const before = it.asked.length;
    const answer = it.raw(get(it.host, closing, "/slow?a=1"));
    await comes(() => it.asked.length > before);
    await it.clock.advance(150_000);
    const [, path = ""] = /^HTTP\/1\.1 303 [^]*location: (\S+)/i.exec(await answer) ?? [];
    assert.match(path, /^\/slow\?__modal_function_call_id=fc-/);
    return path;
  };
  const path = await sent();
  assert.equal(statusOf(await it.raw(get("other.localhost", closing, path))), 404);
  const again = it.raw(get(it.host, closing, path));
  waits[0]?.resolve();
  assert.match(await again, /^HTTP\/1\.1 200 [^]*at last/);
  assert.equal(statusOf(await it.raw(get(it.host, closing, path))), 404, "it has had its answer");
  const late = await sent();
  await it.clock.advance(60_000);
  assert.equal(statusOf(await it.raw(get(it.host, closing, late))), 404);
  assert.equal(it.asked[1]?.exchange.over.signal.aborted, true);
});

test("a caller cannot make the platform's own address a web socket", async () => {
  await using it = await webScene(answersOk);
  const lines = `connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${"a".repeat(22)}==\r\n`;
  const socket = await rawConnection(it.rig.port.number, get("127.0.0.1", lines));
  const [first] = (await once(socket, "data")) as [Buffer];
  assert.equal(statusOf(first.toString()), 404);
  socket.destroy();
});

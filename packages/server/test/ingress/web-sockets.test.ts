/** Web sockets of functions through the port, with an application in this process. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { WebSocket } from "ws";

import type { AsgiMessage } from "../../src/web/asgi.ts";
import { type Application, type Said, webScene, type WebScene } from "../support/web-scene.ts";
import { rawConnection, readAll } from "./rig.ts";

const accept = (changes: { subprotocol?: string; headers?: Buffer[] } = {}): Said => ({
  case: "websocketAccept",
  value: changes,
});
const text = (value: string): Said => ({ case: "websocketSend", value: { content: { case: "text", value } } });

function connect({ rig, host }: WebScene, protocols: string[] = []): WebSocket {
  return new WebSocket(`ws://127.0.0.1:${rig.port.number}/chat?room=1`, protocols, { headers: { host } });
}

/** Says back what it hears, until it hears that the socket is closed; `heard` gets all of it. */
const echo =
  (heard: AsgiMessage[]): Application =>
  async ({ receive, send }) => {
    for (;;) {
      const message = await receive();
      heard.push(message);
      if (message.case === "websocketConnect") await send(accept());
      else if (message.case === "websocketReceive")
        await send({ case: "websocketSend", value: { content: message.value.content } });
      else return;
    }
  };

test("a socket is described to the application, which chooses its protocol and adds headers", async () => {
  await using it = await webScene(({ send }) =>
    send(
      accept({
        subprotocol: "b",
        headers: ["x-own", "1", "sec-websocket-accept", "evil"].map((each) => Buffer.from(each)),
      }),
    ),
  );
  const socket = connect(it, ["a", "b"]);
  const [[response]] = (await Promise.all([once(socket, "upgrade"), once(socket, "open")])) as unknown as [
    [{ headers: Record<string, string> }],
  ];
  assert.equal(response.headers["x-own"], "1");
  assert.equal(socket.protocol, "b");
  const [asked] = it.asked;
  assert.ok(asked);
  const { type, scheme, path, subprotocols, method, headers } = asked.scope;
  assert.deepEqual([type, scheme, path, subprotocols, method], ["websocket", "ws", "/chat", ["a", "b"], undefined]);
  const names = (headers as [Buffer, Buffer][]).map(([name]) => name.toString());
  assert.ok(!names.includes("sec-websocket-extensions") && !names.includes("upgrade"), names.join(", "));
  socket.terminate();
});

test("frames pass both ways as they are, and an application hears with which code its caller closes", async () => {
  const heard: AsgiMessage[] = [];
  await using it = await webScene(echo(heard));
  const socket = connect(it);
  await once(socket, "open");
  for (const [said, isBinary] of [
    ["hello", false],
    ["", false],
    [Buffer.from([0, 255]), true],
  ] as const) {
    socket.send(said);
    const [data, wasBinary] = (await once(socket, "message")) as [Buffer, boolean];
    assert.deepEqual([data, wasBinary], [Buffer.from(said), isBinary]);
  }
  socket.close(3_333);
  await once(socket, "close");
  await it.clock.settle();
  const last = heard.at(-1);
  assert.deepEqual(last?.case === "websocketDisconnect" && last.value.code, 3_333);
});

test("an application that goes on after its socket is closed is left alone, unless it says more on it", async () => {
  for (const closes of ["caller", "application"]) {
    await using it = await webScene(async ({ receive, send }) => {
      await receive();
      await send(accept());
      if (closes === "application") await send({ case: "websocketClose", value: { code: 4_000, reason: "done" } });
      await new Promise(() => {}); // it cleans up
    });
    const socket = connect(it);
    await once(socket, "open");
    if (closes === "caller") socket.terminate();
    await once(socket, "close");
    const [asked] = it.asked;
    const ending = async () => (await it.store.read((tx) => tx.inputs.get(asked?.inputId ?? "")))?.ending?.status;
    while (asked?.exchange.over.signal.aborted === false) await it.clock.settle();
    await it.clock.settle();
    assert.equal(await ending(), undefined, closes);
    await it.web.endLate(asked?.exchange.callId ?? "", "ta-other");
    assert.equal(await ending(), undefined, "it is no business of other containers");
    await it.web.endLate(asked?.exchange.callId ?? "", it.containerId);
    assert.equal(await ending(), "terminated");
  }
});

test("a message in fragments is one to the application, however large it may be, and a ping is answered at once", async () => {
  const heard: AsgiMessage[] = [];
  await using it = await webScene(echo(heard));
  const socket = connect(it);
  await once(socket, "open");
  const part = Buffer.alloc(512 * 1024, "part");
  for (const fin of [false, false, false, true]) {
    socket.send(part, { fin });
    socket.ping("between"); // control frames may stand between fragments
  }
  const pongs: string[] = [];
  socket.on("pong", (data: Buffer) => pongs.push(data.toString()));
  const [message] = (await once(socket, "message")) as [Buffer];
  assert.ok(message.equals(Buffer.concat([part, part, part, part])));
  assert.deepEqual(pongs, Array<string>(4).fill("between"));
  assert.equal(heard.length, 2);
  socket.terminate();
});

test("a socket whose caller does not take a message is cut, and one that is merely silent is not", async () => {
  const settings = { times: { webBodySilence: 100 } };
  await using it = await webScene(
    async ({ send }) => {
      await send(accept(), text("first"));
      await new Promise((resolve) => setTimeout(resolve, 300));
      await send(text("second"));
      for (let i = 0; i < 64; i++) await send(text("x".repeat(1024 * 1024)));
      await new Promise(() => {});
    },
    { settings },
  );
  const socket = connect(it);
  await once(socket, "message");
  const [second] = (await once(socket, "message")) as [Buffer];
  assert.equal(second.toString(), "second");
  socket.pause();
  const isOver = Promise.withResolvers<void>();
  it.asked[0]?.exchange.over.signal.addEventListener("abort", () => isOver.resolve());
  await isOver.promise;
  socket.terminate();
});

test("codes that may not be said become one that may, and reasons are cut", async () => {
  const closes = [
    { code: 1_006, reason: "" },
    { code: 1_000, reason: "é".repeat(100) },
    { code: 99, reason: "" },
  ];
  let next = 0;
  await using it = await webScene(async ({ send }) => {
    await send(accept(), { case: "websocketClose", value: closes[next++] ?? {} });
  });
  const codes: unknown[] = [];
  for (const _ of closes) {
    const socket = connect(it);
    const [code, reason] = (await once(socket, "close")) as [number, Buffer];
    codes.push([code, reason.length]);
  }
  assert.deepEqual(codes, [
    [1_011, 0],
    [1_000, 122],
    [1_011, 0],
  ]);
});

test("an application that refuses, or ends, is told of by a status", async () => {
  const ends: Application[] = [
    async ({ send }) => send({ case: "websocketClose", value: {} }),
    async () => {},
    async ({ send }) => send(text("without having accepted")),
  ];
  let next = 0;
  await using it = await webScene((asked) => ends[next++]?.(asked) ?? Promise.resolve());
  for (const status of [403, 500, 500]) {
    const [error] = (await once(connect(it), "error")) as [Error];
    assert.match(error.message, new RegExp(String(status)));
  }
});

test("what is not quite a handshake is a request like any other", async () => {
  await using it = await webScene(async ({ scope, send }) => {
    const body = Buffer.from(String(scope["type"] === "http"));
    await send({ case: "httpResponseStart", value: { status: 200 } }, { case: "httpResponseBody", value: { body } });
  });
  const lines = `connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-key: short\r\n`;
  const answer = await readAll(
    await rawConnection(it.rig.port.number, `GET / HTTP/1.1\r\nhost: ${it.host}\r\n${lines}\r\n`),
  );
  assert.match(answer, /^HTTP\/1\.1 200 [^]*true/);
});

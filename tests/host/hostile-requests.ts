/** Malformed, truncated and random requests, made from a seed: the same seed makes the same requests. */
import http2 from "node:http2";
import net from "node:net";

import { ModalClient } from "@lydian/contract";
import { type Random, seededRandom, within } from "@lydian/testkit";

/** How the server answered: a status of gRPC or HTTP, or by closing the connection or stream. */
export type Answer =
  | { kind: "grpc"; status: number; message: string }
  | { kind: "http"; status: number; message: string }
  | { kind: "closed" };

export interface Attempt {
  /** For messages. */
  name: string;
  make(): Promise<Answer>;
}

/** No answer within this time counts as a hanging request; the server itself waits 10 s for the rest of a beginning. */
const hangsAfterMs = 25_000;

/** What requests are made of. */
export class Chance {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  below(count: number): number {
    return this.#random.below(count);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  text(count: number, alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-_./%"): string {
    return Array.from({ length: count }, () => alphabet.charAt(this.below(alphabet.length))).join("");
  }
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What a connection begins with. None of these is a request that can succeed. */
const openings: Record<string, (chance: Chance) => Buffer> = {
  "random bytes": (chance) => chance.bytes(1 + chance.below(4096)),
  "one byte": (chance) => chance.bytes(1),
  "a TLS handshake": (chance) => Buffer.concat([Buffer.from([0x16, 3, 1]), chance.bytes(chance.below(600))]),
  "a cut preface": (chance) => preface.subarray(0, 1 + chance.below(preface.length - 1)),
  "a preface and noise": (chance) => Buffer.concat([preface, chance.bytes(9 + chance.below(2000))]),
  "a preface and frames": (chance) =>
    Buffer.concat([preface, ...Array.from({ length: 1 + chance.below(20) }, () => frame(chance))]),
  "a frame larger than allowed": (chance) =>
    Buffer.concat([preface, Buffer.from([0xff, 0xff, 0xff, chance.below(10), 0, 0, 0, 0, 1])]),
  "a door with a wrong secret": (chance) => Buffer.from(`LYDIAN/1 ${chance.text(chance.below(200))}\n`),
  "a door and more": (chance) =>
    Buffer.concat([Buffer.from(`LYDIAN/1 ${chance.text(43)}\n`), preface, chance.bytes(50)]),
  "a door without an end": (chance) => Buffer.from(`LYDIAN/1 ${"x".repeat(chance.below(2000))}`),
  "a door of noise": (chance) =>
    Buffer.concat([Buffer.from("LYDIAN/1 "), chance.bytes(chance.below(400)), Buffer.from("\n")]),
  "a broken request line": (chance) => Buffer.from(`${chance.text(chance.below(30), "GET /HTPX1.\0\t ")}\r\n\r\n`),
  "a cut request": (chance) =>
    Buffer.from("GET /content/0 HTTP/1.1\r\nhost: localhost\r\n\r\n".slice(0, 5 + chance.below(35))),
  "headers without an end": (chance) =>
    Buffer.from(`GET / HTTP/1.1\r\nhost: x\r\nx-long: ${"y".repeat(chance.below(40_000))}`),
  "two lengths": () => Buffer.from("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
  "length and chunks": () =>
    Buffer.from("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
  "broken chunks": (chance) =>
    Buffer.from(`POST /blobs/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chance.text(20)}`),
  "a path": (chance) => request("GET", `/${chance.text(chance.below(300))}`),
  "a way out of the folder": (chance) =>
    request("GET", `/content/${chance.pick(["../", "..%2f", "%2e%2e/", "..\\"]).repeat(8)}etc/passwd`),
  content: (chance) =>
    request("GET", `/content/${chance.text(64, "0123456789abcdef")}`, {
      range: chance.pick(["bytes=5-1", "bytes=-", "x", "bytes=99999999999999999999-"]),
    }),
  "a forged link": (chance) =>
    request(
      chance.pick(["PUT", "POST", "GET", "HEAD", "DELETE"]),
      `/blobs/bl-${chance.text(22)}?expires=${chance.below(1e9)}&signature=${chance.text(43)}&${chance.text(20)}`,
    ),
  "a body that does not come": () =>
    Buffer.from("PUT /blobs/bl-1?x=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nabc"),
  "an upgrade": () => request("GET", "/", { connection: "upgrade", upgrade: "websocket", "sec-websocket-key": "x" }),
  "an unknown method": (chance) => request(chance.text(1 + chance.below(8), "ABCDEFGHIJ"), "/"),
  "a foreign host": (chance) => request("GET", "/", { host: `${chance.text(40)}.localhost` }),
};

function request(method: string, path: string, headers: Record<string, string> = {}): Buffer {
  const lines = Object.entries({ host: "localhost", connection: "close", ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

/** A frame of HTTP/2 whose length is right; type, flags, stream and payload are noise. */
function frame(chance: Chance): Buffer {
  const payload = chance.bytes(chance.below(64));
  const head = Buffer.from([0, 0, payload.length, chance.below(12), chance.below(256), 0, 0, 0, chance.below(8)]);
  return Buffer.concat([head, payload]);
}

function connectionAttempt(url: URL, chance: Chance): Attempt {
  const [name, opening] = chance.pick(Object.entries(openings));
  const bytes = opening(chance);
  const pieces = chance.below(4) === 0 ? [...chunks(bytes, 1 + chance.below(100))] : [bytes];
  const isAborted = chance.below(10) === 0;
  return {
    name,
    make: () => within(hangsAfterMs, converse(url, pieces, isAborted), () => `${name} was neither answered nor closed`),
  };
}

function* chunks(bytes: Buffer, size: number): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Says it all, then waits for the other side's last word. `isAborted`: goes away without a word instead. */
function converse(url: URL, pieces: readonly Buffer[], isAborted: boolean): Promise<Answer> {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect({ host: url.hostname, port: Number(url.port), allowHalfOpen: false, noDelay: true });
    socket.on("error", () => {}); // a reset is an answer, too: "close" follows
    socket.setEncoding("latin1").on("data", (data: string) => (text += data.slice(0, 500)));
    socket.once("close", () => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
      resolve(
        status === undefined
          ? { kind: "closed" }
          : { kind: "http", status: Number(status), message: text.slice(0, 300) },
      );
    });
    for (const piece of pieces) socket.write(piece);
    if (isAborted) socket.resetAndDestroy();
    else socket.end();
  });
}

/** Bodies for a method that expects one message. */
const bodies: Record<string, (chance: Chance) => Buffer> = {
  "no message": () => Buffer.alloc(0),
  "an empty message": () => message(Buffer.alloc(0)),
  "a random message": (chance) => message(chance.bytes(1 + chance.below(300))),
  "fields of noise": (chance) =>
    message(Buffer.concat(Array.from({ length: 1 + chance.below(8) }, () => field(chance)))),
  "a cut message": (chance) => message(chance.bytes(100)).subarray(0, chance.below(100)),
  "a length that lies": (chance) => message(chance.bytes(20), { length: chance.pick([5, 21, 1_000_000, 0xffffffff]) }),
  "a compressed message": (chance) => message(chance.bytes(20), { flag: 1 }),
  "an unknown flag": (chance) => message(chance.bytes(20), { flag: 2 + chance.below(200) }),
  "two messages": (chance) => Buffer.concat([message(chance.bytes(10)), message(chance.bytes(10))]),
  "a large message": (chance) => message(Buffer.alloc(100_000, chance.below(256))),
};

function message(bytes: Buffer, lie: { length?: number; flag?: number } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(lie.flag ?? 0, 0);
  head.writeUInt32BE(lie.length ?? bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A field of protobuf that can be parsed: text, nested noise, numbers. */
function field(chance: Chance): Buffer {
  const number = 1 + chance.below(15);
  const content = chance.pick([
    () => chance.bytes(chance.below(40)),
    () => Buffer.from(chance.text(chance.below(40))),
  ])();
  if (chance.below(3) === 0) return Buffer.from([number << 3, chance.below(128)]);
  return Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content]);
}

const knownMethods = ModalClient.methods.map(({ name }) => `/${ModalClient.typeName}/${name}`);

function rpcAttempt(url: URL, token: Record<string, string>, chance: Chance): Attempt {
  const known = chance.pick(knownMethods);
  const path = chance.pick([
    known,
    known,
    known,
    `${known}x`,
    `/${chance.text(20)}/${chance.text(10)}`,
    `/${chance.text(30)}`,
    "/",
  ]);
  const credentials = chance.pick([
    token,
    token,
    {},
    { "x-modal-token-id": "ak-x", "x-modal-token-secret": chance.text(20) },
  ]);
  const oddities = chance.pick<Record<string, string>>([
    {},
    {},
    {},
    { "content-type": "text/plain" },
    { "grpc-timeout": chance.pick(["1S", "0n", "99999999H", "soon"]) },
    { "grpc-encoding": chance.pick(["gzip", "deflate", "unknown"]) },
    { "x-idempotency-key": chance.text(200) },
    { "x-modal-client-version": chance.text(20) },
    { "x-modal-client-type": chance.text(3) },
  ]);
  const [name, body] = chance.pick(Object.entries(bodies));
  const headers = {
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...credentials,
    ...oddities,
  };
  const bytes = body(chance);
  const isAborted = chance.below(20) === 0;
  const title = `${name} to ${path} with ${JSON.stringify(oddities)}`;
  return {
    name: title,
    make: () => within(hangsAfterMs, callOver(url, headers, bytes, isAborted), () => `${title} was not answered`),
  };
}

function callOver(url: URL, headers: http2.OutgoingHttpHeaders, body: Buffer, isAborted: boolean): Promise<Answer> {
  return new Promise((resolve) => {
    let answer: Answer = { kind: "closed" };
    const read = (fields: http2.IncomingHttpHeaders): void => {
      const status = fields["grpc-status"];
      const http = Number(fields[":status"] ?? 200);
      const text = String(fields["grpc-message"] ?? "");
      if (status !== undefined) answer = { kind: "grpc", status: Number(status), message: text };
      else if (http !== 200) answer = { kind: "http", status: http, message: "" };
    };
    const session = http2.connect(url);
    session.on("error", () => {}); // "close" follows
    session.once("close", () => resolve(answer));
    const stream = session.request(headers);
    stream
      .on("response", read)
      .on("trailers", read)
      .on("error", () => {});
    stream.resume().once("close", () => session.destroy());
    stream.end(body);
    if (isAborted) session.destroy();
  });
}

/** Half of them connections of any kind, half calls, each over a session of its own. */
export function hostileAttempts(url: URL, seed: number, count: number, token: Record<string, string>): Attempt[] {
  const chance = new Chance(seed);
  return Array.from({ length: count }, () => {
    const own = new Chance(chance.below(2 ** 32));
    return own.below(2) === 0 ? connectionAttempt(url, own) : rpcAttempt(url, token, own);
  });
}

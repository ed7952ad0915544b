/** A caller of web functions: connects to the platform's port whatever a host name resolves to here, as browsers do. */
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";

import type { Platform } from "@lydian/testkit";
import { WebSocket } from "ws";

export interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  text: string;
  json(): unknown;
}

export interface Asking {
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
  /** Whether it asks elsewhere when it is told to. */
  follows?: boolean;
}

export class WebCaller implements Disposable {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(platform: Platform) {
    this.#port = Number(new URL(platform.url).port);
  }

  /** Only as far as the headers of the answer; the body is the caller's to read. `url`: as the client printed it. */
  async begin(url: string, asking: Asking = {}): Promise<IncomingMessage> {
    const incoming = await this.#once(url, asking);
    if (incoming.statusCode !== 303 || asking.follows === false) return incoming;
    incoming.resume();
    const { method = "GET", headers = {} } = asking;
    const next = new URL(incoming.headers.location ?? "", url).href;
    return await this.begin(next, { method: method === "HEAD" ? method : "GET", headers });
  }

  async ask(url: string, asking?: Asking): Promise<Answer> {
    const incoming = await this.begin(url, asking);
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const text = Buffer.concat(pieces).toString();
    const { headers, statusCode: status = 0 } = incoming;
    return { status, headers, text, json: () => JSON.parse(text) as unknown };
  }

  socket(url: string, protocols: string[] = []): WebSocket {
    const { host, pathname } = new URL(url);
    return new WebSocket(`ws://127.0.0.1:${this.#port}${pathname}`, protocols, { headers: { host } });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #once(url: string, { method = "GET", headers = {}, body }: Asking): Promise<IncomingMessage> {
    const { host, pathname, search } = new URL(url);
    const type = typeof body === "string" && { "content-type": "application/json" };
    // Node forgets the length where a body is unusual.
    const own = { host, ...type, ...(body && { "content-length": Buffer.byteLength(body) }), ...headers };
    const to = { agent: this.#agent, host: "127.0.0.1", port: this.#port, path: pathname + search };
    return new Promise((resolve, reject) => {
      const sent = request({ ...to, method, headers: own }, resolve);
      sent.on("error", reject);
      sent.end(body);
    });
  }
}

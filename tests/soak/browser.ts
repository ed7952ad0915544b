/** Debian's chromium without a window, driven by its own protocol: only what tests of web functions need. */
import { once } from "node:events";
import { existsSync } from "node:fs";

import { Program, temporaryFolder } from "@lydian/testkit";
import { WebSocket } from "ws";

const program = "/usr/bin/chromium";

/** Why there is no browser here; false when there is one. */
export const missingBrowser: string | false = existsSync(program)
  ? false
  : "there is no chromium: apt-get install --no-install-recommends chromium";

/** What a page asks for outside of this machine is answered from here, by a part of its address. */
export type Stand = Readonly<Record<string, { type: string; body: Buffer }>>;

interface Word {
  id?: number;
  method?: string;
  params?: { requestId?: string; request?: { url: string } };
  result?: Record<string, unknown>;
  error?: { message: string };
}

export class Browser implements AsyncDisposable {
  readonly #program: Program;
  readonly #socket: WebSocket;
  readonly #folder: AsyncDisposable;
  readonly #stand: Stand;
  readonly #waiting = new Map<number, (word: Word) => void>();
  #lastId = 0;

  private constructor(running: Program, socket: WebSocket, folder: AsyncDisposable, stand: Stand) {
    this.#program = running;
    this.#socket = socket;
    this.#folder = folder;
    this.#stand = stand;
    socket.on("message", (data: Buffer) => this.#hear(JSON.parse(data.toString()) as Word));
  }

  static async open(stand: Stand = {}): Promise<Browser> {
    const folder = await temporaryFolder();
    const options = [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--remote-debugging-port=0",
    ];
    const running = new Program(program, [...options, `--user-data-dir=${folder.path}`, "about:blank"]);
    await running.sees(/DevTools listening on ws:\S+/, 60_000);
    const [, host = ""] = /DevTools listening on ws:\/\/([^/]+)/.exec(running.output) ?? [];
    const pages = (await (await fetch(`http://${host}/json`)).json()) as {
      type: string;
      webSocketDebuggerUrl: string;
    }[];
    const page = pages.find(({ type }) => type === "page");
    const socket = new WebSocket(page?.webSocketDebuggerUrl ?? "");
    await once(socket, "open");
    const browser = new Browser(running, socket, folder, stand);
    await browser.#ask("Page.enable");
    await browser.#ask("Fetch.enable", { patterns: [{ urlPattern: "https://*" }] });
    return browser;
  }

  async visit(url: string): Promise<void> {
    await this.#ask("Page.navigate", { url });
  }

  /** What an expression in the page comes to, promises awaited. Throws what it throws. */
  async run<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = (await this.#ask("Runtime.evaluate", options)) as {
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string } };
    };
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? "the page threw");
    return result.value;
  }

  /** Until an expression in the page is true, which is looked at whenever the page is painted. */
  async sees(expression: string, withinMs = 60_000): Promise<void> {
    const look = `const look = () => { try { if (${expression}) return resolve(true); } catch {} again(); };`;
    const again = `const again = () => Date.now() < end ? setTimeout(look, 50) : resolve(document.body.innerText);`;
    const found = await this.run<string | true>(
      `new Promise((resolve) => { const end = Date.now() + ${withinMs}; ${again} ${look} look(); })`,
    );
    if (found !== true) throw new Error(`The page does not show ${expression}, but:\n${found}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate();
    await this.#program[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  async #ask(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const answer = new Promise<Word>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result = {}, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #hear({ id, method, params, ...answer }: Word): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    } else if (method === "Fetch.requestPaused" && params?.requestId !== undefined) {
      void this.#answer(params.requestId, params.request?.url ?? "");
    }
  }

  async #answer(requestId: string, url: string): Promise<void> {
    const [, found] = Object.entries(this.#stand).find(([part]) => url.includes(part)) ?? [];
    const headers = [{ name: "content-type", value: found?.type ?? "text/plain" }];
    const body = found?.body.toString("base64") ?? "";
    const answer = { requestId, responseCode: found === undefined ? 404 : 200, responseHeaders: headers, body };
    await this.#ask("Fetch.fulfillRequest", answer).catch(() => {}); // the page has gone on meanwhile
  }
}

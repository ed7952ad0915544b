/**
 * Tokens that open one container for commands, for a while: in the form of a JSON Web Token, of which the clients read when it
 * ends. Signed with a key that is derived from the server's, so nothing is stored.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

/** The clients fetch another one when it has ended, and what runs by then goes on. */
const validMs = 15 * 60_000;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const head = encode({ alg: "HS256", typ: "JWT" });

export class TaskTokens {
  readonly #key: Buffer;
  readonly #now: () => number;

  constructor(serverKey: Uint8Array, now: () => number) {
    this.#key = createHmac("sha256", serverKey).update("task tokens").digest();
    this.#now = now;
  }

  make(containerId: string): string {
    const body = encode({ task_id: containerId, exp: Math.floor((this.#now() + validMs) / 1000) });
    return `${head}.${body}.${this.#sign(body).toString("base64url")}`;
  }

  /** The container's id; undefined for a token that was never made here, or is over. */
  open(token: string): string | undefined {
    const [first, body = "", signature = "", ...more] = token.split(".");
    const given = Buffer.from(signature, "base64url");
    const right = this.#sign(body);
    if (first !== head || more.length > 0 || given.length !== right.length || !timingSafeEqual(given, right))
      return undefined;
    const said = JSON.parse(Buffer.from(body, "base64url").toString()) as { task_id: string; exp: number };
    return said.exp * 1000 > this.#now() ? said.task_id : undefined;
  }

  #sign(body: string): Buffer {
    return createHmac("sha256", this.#key).update(`${head}.${body}`).digest();
  }
}

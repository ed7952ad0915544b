/** A function on the platform: what a call has to know of it. */
import type { Client } from "../client/client.ts";

export interface Target {
  readonly client: Client;
  readonly functionId: string;
  /** For people. */
  readonly name: string;
  readonly isGenerator: boolean;
  /** Of a class: what is called of it. */
  readonly method: string | undefined;
}

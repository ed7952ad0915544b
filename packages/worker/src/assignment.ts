/** What the server has given this worker to do, as the session sees it: a container to run, or an image to make. */
import type * as wire from "@lydian/contract/worker";

export interface Assignment {
  readonly id: string;
  /** The token of this assignment: who has another one speaks of another assignment. */
  readonly fence: string;
  /** What it is to do has begun, or had when it ended. */
  readonly isRunning: boolean;
  readonly isGone: boolean;
  /** Once it is gone. */
  readonly exit: wire.Exit | undefined;
  /** Aborts when it is gone: its log grows no more. */
  readonly gone: AbortSignal;
  /** Aborts when it is released. */
  readonly released: AbortSignal;
  readonly logFile: string;
  readonly hasTerminal: boolean;
  /** What the volumes go by that its processes mount now. */
  readonly volumesId: string;
  /** How far the server has its log. */
  readonly acknowledgedOffset: number;
  acknowledge(offset: number): void;
  /** Ends it, by force after the grace. */
  stop(graceMs: number): Promise<void>;
  /** Of a container: brings the server a connection to a port of it, which goes by the secret. */
  dial?(port: number, secret: string): Promise<void>;
  /** A container has loaded its code. */
  ready(): Promise<void>;
  /** Ends what is left of it and forgets it. */
  release(): Promise<void>;
  /** This worker ends; the next one may take it over. */
  leave(): Promise<void>;
}

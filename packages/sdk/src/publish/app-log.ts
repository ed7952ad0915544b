/** Follows an app's output until the app is done. */
import { setTimeout as sleep } from "node:timers/promises";

import { ModalClient, type TaskLogs } from "@lydian/contract";

import type { Client } from "../client/client.ts";

const holdSeconds = 55;
const streamMs = 75_000;
const reopenMs = 500;
/** How long the last of the output may be on its way, in milliseconds. */
const lastWordsMs = 10_000;

export class AppLog {
  readonly #closed = new AbortController();
  readonly #ended: Promise<void>;

  constructor(client: Client, appId: string, onItem: (item: TaskLogs) => void) {
    this.#ended = this.#follow(client, appId, onItem);
  }

  /** All that it has written is here, or it takes too long. */
  async ended(): Promise<void> {
    const late = sleep(lastWordsMs, undefined, { signal: this.#closed.signal, ref: false }).catch(() => {}); // closed
    await Promise.race([this.#ended, late]);
  }

  close(): void {
    this.#closed.abort();
  }

  async #follow(client: Client, appId: string, onItem: (item: TaskLogs) => void): Promise<void> {
    const { signal } = this.#closed;
    let lastEntryId = "";
    while (!signal.aborted) {
      try {
        const request = { appId, timeout: holdSeconds, lastEntryId };
        for await (const batch of client.follow(ModalClient.method.appGetLogs, request, {
          timeoutMs: streamMs,
          signal,
        })) {
          lastEntryId = batch.entryId || lastEntryId;
          for (const item of batch.items) if (item.data !== "") onItem(item);
          if (batch.appDone) return;
        }
      } catch {
        if (signal.aborted) return;
        await sleep(reopenMs, undefined, { signal }).catch(() => {}); // the platform is away, or this was closed
      }
    }
  }
}

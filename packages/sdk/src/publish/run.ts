/** An app that lives as long as this process wants it to. */
import { AppDisconnectReason, AppState, ModalClient } from "@lydian/contract";

import type { App } from "../app.ts";
import { Client } from "../client/client.ts";
import { messageOf } from "@lydian/kit/errors";
import { begin, end } from "../live.ts";
import { AppLog } from "./app-log.ts";
import { type Observer, plainObserver } from "./observer.ts";
import { type Plan, planOf, type Publication, publish } from "./publish.ts";

export interface RunOptions {
  /** It goes on when this process lets go of it. */
  detach?: boolean;
  /** Whose names it looks up; without it the client's own. */
  environment?: string;
  client?: Client;
  /** Is told what happens; without it containers' output goes to this process's. */
  observer?: Observer;
}

const heartbeatMs = 15_000;

export interface RunningApp extends AsyncDisposable {
  readonly appId: string;
  /** Where the platform shows it. */
  readonly url: string;
  /** Addresses of its web functions, by name. */
  readonly webUrls: ReadonlyMap<string, string>;
  /** Lets go of it, and ends it unless it is detached; waits for the last of its output. */
  stop(reason: AppDisconnectReason, error?: unknown): Promise<void>;
  /** Puts it on the platform anew, as it is now; for code that has changed. */
  replace(app: App, plan: Plan): Promise<void>;
}

export async function runApp(app: App, options: RunOptions = {}, plan?: Plan): Promise<RunningApp> {
  const { detach = false, client = Client.usual(), observer = plainObserver } = options;
  const environment = options.environment ?? client.environment;
  client.onWarning = (text) => observer.warn(text);
  const ready = plan ?? (await planOf(app));
  const state = detach ? AppState.DETACHED : AppState.EPHEMERAL;
  const created = await client.ask(ModalClient.method.appCreate, {
    description: app.name,
    environmentName: environment,
    appState: state,
  });
  const place = { client, environment, appId: created.appId };
  return await Running.start(ready, place, { state, observer, url: created.appPageUrl });
}

type RunPlace = { readonly client: Client; readonly environment: string; readonly appId: string };

class Running implements RunningApp {
  readonly #place: RunPlace;
  readonly #parts: { state: AppState; observer: Observer; url: string };
  readonly #log: AppLog;
  readonly #heart: NodeJS.Timeout;
  webUrls: ReadonlyMap<string, string> = new Map();
  #apps: readonly App[] = [];
  #existing: NonNullable<Publication["existing"]> = {};
  #stopped: Promise<void> | undefined;

  private constructor(place: RunPlace, parts: { state: AppState; observer: Observer; url: string }) {
    this.#place = place;
    this.#parts = parts;
    this.#log = new AppLog(place.client, place.appId, (item) => parts.observer.log(item));
    this.#heart = setInterval(() => void this.#beat(), heartbeatMs);
  }

  static async start(
    plan: Plan,
    place: RunPlace,
    parts: { state: AppState; observer: Observer; url: string },
  ): Promise<Running> {
    const running = new Running(place, parts);
    try {
      await running.replace(plan.app, plan);
      return running;
    } catch (error) {
      await running.stop(AppDisconnectReason.LOCAL_EXCEPTION, error);
      throw error;
    }
  }

  get appId(): string {
    return this.#place.appId;
  }

  get url(): string {
    return this.#parts.url;
  }

  async replace(app: App, plan: Plan): Promise<void> {
    const { state, observer } = this.#parts;
    const { functionIds, classIds, webUrls } = await publish(plan, this.#place, {
      state,
      observer,
      existing: this.#existing,
    });
    this.webUrls = webUrls;
    this.#existing = { functions: Object.fromEntries(functionIds), classes: Object.fromEntries(classIds) };
    for (const each of this.#apps) end(each);
    this.#apps = app.all;
    const { client, appId } = this.#place;
    for (const each of this.#apps) begin(each, { client, appId, functionIds });
  }

  stop(reason: AppDisconnectReason, error?: unknown): Promise<void> {
    return (this.#stopped ??= this.#stop(reason, error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(AppDisconnectReason.ENTRYPOINT_COMPLETED);
  }

  async #stop(reason: AppDisconnectReason, error: unknown): Promise<void> {
    clearInterval(this.#heart);
    for (const each of this.#apps) end(each);
    const exception = error === undefined ? "" : messageOf(error);
    const { client, appId } = this.#place;
    try {
      await client.ask(ModalClient.method.appClientDisconnect, { appId, reason, exception });
      await this.#log.ended();
    } finally {
      this.#log.close();
    }
  }

  /** One that is lost is made up for by the next. */
  async #beat(): Promise<void> {
    const { client, appId } = this.#place;
    try {
      await client.ask(ModalClient.method.appHeartbeat, { appId }, { timeoutMs: heartbeatMs, patienceMs: 0 });
    } catch (error) {
      this.#parts.observer.warn(
        `the platform did not hear that ${this.#place.appId} is still wanted: ${messageOf(error)}`,
      );
    }
  }
}

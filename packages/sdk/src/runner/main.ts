/** The main program of a container whose function is written in TypeScript or JavaScript. */
import { ModalClient } from "@lydian/contract";

import { inputContext } from "../calls/context.ts";
import { Client } from "../client/client.ts";
import { beginContainer } from "../live.ts";
import { readArguments } from "./arguments.ts";
import { Container } from "./container.ts";
import { markOutput } from "./marked-output.ts";
import { failed } from "./results.ts";
import { Service } from "./service.ts";

/** How long inputs may run on when the container is to end, and what is then left to answer, in milliseconds. */
const graceMs = 20_000;

/** Runs the container's function until the platform ends it; a warm starter calls it, which has this imported before. */
export async function main(): Promise<never> {
  process.setSourceMapsEnabled(true);
  const { arguments: given, definition } = readArguments(process.env);
  const client = Client.usual();
  beginContainer(client, given.appId, given.appLayout);
  const own: { container?: Container } = {};
  watchStrays(() => own.container?.drain());
  const [service] = await Promise.all([
    Service.load(definition, given.serializedParams, import.meta.dirname).catch((error: unknown) =>
      fail(client, error),
    ),
    client.ask(ModalClient.method.containerHello, {}), // while the code is imported, the connection is made
  ]);
  const container = new Container(client, {
    functionId: given.functionId,
    code: (method) => service.code(method),
    slots: definition.maxConcurrentInputs || 1,
    batchSize: definition.batchMaxSize,
    batchLingerMs: definition.batchLingerMs,
    timeoutMs: (definition.timeoutSecs || 300) * 1000,
  });
  own.container = container;
  if (definition.batchMaxSize === 0) markOutput(); // what a batch prints is of all its inputs
  process.once("SIGTERM", () => {
    container.drain();
    setTimeout(() => container.stopAll(new DOMException("the container ends", "AbortError")), graceMs).unref();
  });
  await container.run();
  await service.close();
  process.exit(0);
}

/** The container cannot start: says why, and ends. */
async function fail(client: Client, error: unknown): Promise<never> {
  const { result } = failed(error);
  console.error(error);
  await client.ask(ModalClient.method.taskResult, { result });
  process.exit(0); // the platform knows why
}

/**
 * What is thrown beside a function, where nobody waits for it, ends the input that it belongs to. The container goes on only if
 * that is known: code that fails on its own account may have left anything behind.
 */
function watchStrays(drain: () => void): void {
  const stray = (error: unknown): void => {
    const context = inputContext.getStore();
    if (context === undefined) {
      console.error(error);
      process.exit(1);
    }
    context.fail(error); // which logs it, too
    drain();
  };
  process.on("unhandledRejection", stray);
  process.on("uncaughtException", stray);
}

if (process.argv[1] === import.meta.filename) await main();

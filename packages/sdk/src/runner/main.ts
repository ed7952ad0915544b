/** The main program of a container whose function is written in TypeScript or JavaScript. */
import { ModalClient } from "@lydian/contract";

import { inputContext } from "../calls/context.ts";
import { Client } from "../client/client.ts";
import { beginContainer } from "../live.ts";
import { readArguments } from "./arguments.ts";
import { Container } from "./container.ts";
import { failed } from "./results.ts";
import { Service } from "./service.ts";

/** How long inputs may run on when the container is to end, and what is then left to answer, in milliseconds. */
const graceMs = 20_000;

process.setSourceMapsEnabled(true);
const { arguments: given, definition } = readArguments(process.env);
const client = Client.usual();
beginContainer(client, given.appId, given.appLayout);

// What is thrown beside a function, where nobody waits for it, ends the input that it belongs to. The container goes
// on only if that is known: code that fails on its own account may have left anything behind.
const own: { container?: Container } = {};
const stray = (error: unknown): void => {
  const context = inputContext.getStore();
  console.error(error);
  if (context === undefined) process.exit(1);
  context.fail(error);
  own.container?.drain();
};
process.on("unhandledRejection", stray);
process.on("uncaughtException", stray);

const service = await Service.load(definition, given.serializedParams, import.meta.dirname).catch(
  async (error: unknown) => {
    const { result } = failed(error);
    console.error(error);
    await client.ask(ModalClient.method.taskResult, { result });
    process.exit(0); // the platform knows why
  },
);

await client.ask(ModalClient.method.containerHello, {});
const container = new Container(client, {
  functionId: given.functionId,
  code: (method) => service.code(method),
  slots: definition.maxConcurrentInputs || 1,
  batchSize: definition.batchMaxSize,
  batchLingerMs: definition.batchLingerMs,
  timeoutMs: (definition.timeoutSecs || 300) * 1000,
});
own.container = container;
process.once("SIGTERM", () => {
  container.drain();
  setTimeout(() => container.stopAll(new DOMException("the container ends", "AbortError")), graceMs).unref();
});
await container.run();
await service.close();
process.exit(0);

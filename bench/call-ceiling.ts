/**
 * Measures bench/call-ceiling-server.ts: starts it, a second copy of a function's container process that takes its inputs, and a stock
 * client, all in the namespaces of that function's container.
 */
import { join } from "node:path";

import { clientProgram, newestClient, Program } from "@lydian/testkit";

import { cpuMs } from "./measure.ts";
import { ToldClient } from "./told-client.ts";
import { startContainer } from "./web-ceiling.ts";

const port = 9011;
const clientPort = 9012;

export interface CallCeiling {
  readonly name: string;
  readonly perSecond: number;
  /** What a server with nothing behind it takes for each, in milliseconds of processor time. */
  readonly serverMs: number;
}

/** `pid`: of a container's main process, of a function without concurrency. */
export async function measureCallCeiling(pid: number, inputs: number): Promise<readonly CallCeiling[]> {
  const into = ["-t", String(pid), "-n"];
  const program = join(import.meta.dirname, "call-ceiling-server.ts");
  const words = [process.execPath, "--conditions=lydian-source", program, String(port), String(clientPort)];
  await using server = new Program("nsenter", [...into, ...words]);
  const container = startContainer(pid, ["-t", String(pid)], port);
  try {
    await using client = new Program(
      "nsenter",
      [...into, clientProgram(newestClient, "python"), join(import.meta.dirname, "call_ceiling.py")],
      { listens: true, env: clientEnv },
    );
    const told = new ToldClient(client);
    const ceilings: CallCeiling[] = [];
    await told.measure("map, 1 container", inputs / 5); // all are there, and warm
    for (const [name, amount] of measurements(inputs)) {
      const before = cpuMs(server.pid);
      const { seconds, count } = await told.measure(name, amount);
      ceilings.push({ name, perSecond: count / seconds, serverMs: (cpuMs(server.pid) - before) / count });
    }
    return ceilings;
  } finally {
    container.kill("SIGKILL");
  }
}

const clientEnv = {
  PATH: process.env["PATH"] ?? "",
  MODAL_SERVER_URL: `http://127.0.0.1:${clientPort}`,
  MODAL_TOKEN_ID: "ak-bench",
  MODAL_TOKEN_SECRET: "as-bench",
};

const measurements = (inputs: number): readonly (readonly [name: string, amount: number])[] => [
  ["map, 1 container", inputs],
  ["calls", inputs / 10],
  ["calls, no container", inputs / 10],
  ["spawn.aio, 50 in flight", inputs],
  ["spawn_map", inputs],
];

/**
 * `modal serve`: how long after a save the client has published what was saved, which is its own affair, and how long after that the
 * address answers with it; how much of that the client takes in the container, too.
 */
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { modal, newestClient, Platform, until } from "@lydian/testkit";

import { ms, percentile, printTable, quiet } from "./measure.ts";
import { type LogLine, linesOf } from "./platform-log.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 10);
const patienceMs = 60_000;

await using platform = await Platform.start({ starters: 1, args: ["--log-level", "debug", "--workspace", "home"] });
await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-bench-"));
const file = join(folder.path, "served.py");
const { port } = new URL(platform.url);

async function save(round: number): Promise<void> {
  await writeFile(
    file,
    `import modal

app = modal.App("served")


async def answer(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"${round}"})


@app.function()
@modal.concurrent(max_inputs=10)
@modal.asgi_app()
def api():
    return answer
`,
  );
}

async function ask(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const headers = { host: `home--served-api-dev.localhost:${port}` };
  const sent = request({ host: "127.0.0.1", port, headers, agent: false }, (answer) => void text(answer).then(resolve));
  sent.on("error", reject).end();
  return await promise;
}

/** People save when they have written something: by then the next starter waits. */
const starterAfter = (from: number): Promise<unknown> =>
  until(
    patienceMs,
    () => linesOf(platform.log, from).some(({ msg }) => msg === "a starter waits"),
    () => platform.describe("no starter waits"),
  );

function rpcLine(lines: readonly LogLine[], name: string, after = 0): LogLine {
  const line = lines.find(({ rpc, at }) => rpc === name && at >= after);
  if (line === undefined) throw new Error(`the platform's log has no line about ${name}`);
  return line;
}

await save(-2);
await using serve = modal(platform, newestClient, ["serve", file]);
await serve.sees("Serving...", patienceMs);
await ask();
await starterAfter(0);
const [own, beyond, ours]: [number[], number[], number[]] = [[], [], []];
for (let round = -1; round < rounds; round++) {
  await quiet(2_000);
  const from = platform.log.length;
  const savedAt = Date.now();
  await save(round);
  while ((await ask()) !== String(round))
    if (Date.now() > savedAt + patienceMs) throw new Error(serve.describe("late"));
  const answeredAt = Date.now();
  const lines = linesOf(platform.log, from);
  const published = rpcLine(lines, "AppPublish");
  const hello = rpcLine(lines, "ContainerHello", published.at);
  const asks = rpcLine(lines, "FunctionGetInputs", hello.at);
  await starterAfter(from);
  if (round < 0) continue; // the first one finds nothing warm
  own.push(published.at - savedAt);
  beyond.push(answeredAt - published.at);
  ours.push(answeredAt - published.at - (asks.at - (asks.ms ?? 0) - hello.at));
}
const row = (name: string, aim: string, samples: readonly number[]): string[] => [
  name,
  aim,
  ...[0.5, 0.95, 0].map((share) => ms(percentile(samples, share))),
];
printTable(`modal serve, ${rounds} saves`, [
  ["", "aim", "p50", "p95", "least"],
  row("from the save to the client's publication: its own", "", own),
  row("from there to the first answer with what was saved", "", beyond),
  row("that without what the client in the container takes to import and begin", "200 ms", ours),
]);

/** Connections from one process to another that is killed and started again meanwhile. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

import { Handover } from "../src/handover.ts";

async function child(...args: readonly string[]): Promise<{ process: ChildProcess; said: string }> {
  const program = join(import.meta.dirname, "handed-child.ts");
  const started = spawn(process.execPath, ["--conditions=lydian-source", program, ...args], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const [line] = (await once(started.stdout ?? started, "data")) as [Buffer];
  return { process: started, said: line.toString().trim() };
}

/** Asks at the giver's port; the answer, once its connection has ended. */
async function ask(port: number, what: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.write(what);
  const answer = await text(socket);
  socket.destroy();
  return answer;
}

test("connections wait for who takes them, and none is lost while that one is started again", async (t) => {
  const handover = new Handover();
  const giver = await child("giver");
  t.after(() => giver.process.kill("SIGKILL"));
  handover.from(giver.process);
  const port = Number(giver.said);

  const early = [ask(port, "a"), ask(port, "b")];
  const first = await child("receiver", "first");
  handover.to(first.process);
  const answers = await Promise.all(early);
  assert.deepEqual(answers.map((answer) => answer.slice(-1)).toSorted(), ["a", "b"]);
  for (const answer of answers) assert.match(answer, /^first secret [12] /);

  const gone = once(first.process, "exit");
  first.process.kill("SIGKILL");
  await gone;
  const late = ["c", "d", "e"].map((what) => ask(port, what));
  const second = await child("receiver", "second");
  t.after(() => second.process.kill("SIGKILL"));
  handover.to(second.process);
  for (const [at, answer] of (await Promise.all(late)).entries()) {
    assert.match(answer, new RegExp(`^second secret [345] ${"cde"[at]}$`));
  }
});

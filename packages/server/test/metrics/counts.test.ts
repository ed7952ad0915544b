/** What is counted is what was committed, and Prometheus can read it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Happening } from "../../src/domain/happening.ts";
import { Counts } from "../../src/metrics/counts.ts";
import { expose } from "../../src/metrics/exposition.ts";
import { testStore } from "../support/open-store.ts";
import { container } from "../support/rows.ts";

const queued = (count: number): Happening => ({ kind: "inputsQueued", count });

test("what a unit of work tells is heard when it is committed, and never when it is not", async () => {
  const heard: Happening[] = [];
  await using it = await testStore((happening) => heard.push(happening));
  const kept = it.store.write(async (tx) => tx.tell(queued(1)));
  const thrown = it.store.write(async (tx) => {
    tx.tell(queued(2));
    throw new Error("undone");
  });
  const beside = it.store.write(async (tx) => tx.tell(queued(4)));
  await assert.rejects(thrown, /undone/);
  await Promise.all([kept, beside]);
  assert.deepEqual(heard, [queued(1), queued(4)]);
  await assert.rejects(
    it.store.write(async (tx) => {
      tx.tell(queued(8));
      throw new Error("undone");
    }),
  );
  assert.deepEqual(heard, [queued(1), queued(4)]);
});

test("counters, and histograms whose buckets hold all that is as short or shorter", () => {
  const counts = new Counts();
  counts.rpc("FunctionMap", 3, 0);
  counts.rpc("FunctionMap", 40, 0);
  counts.rpc("FunctionMap", 60_000, 13);
  counts.hear(queued(5));
  counts.hear({ kind: "containerGone", container: container(), reason: "outOfMemory", isError: true, at: 0 });
  const lines = expose(counts.families()).split("\n");
  for (const line of [
    "# TYPE lydian_rpcs_total counter",
    'lydian_rpcs_total{rpc="FunctionMap",status="0"} 2',
    'lydian_rpcs_total{rpc="FunctionMap",status="13"} 1',
    "# TYPE lydian_rpc_seconds histogram",
    'lydian_rpc_seconds_bucket{rpc="FunctionMap",le="0.001"} 0',
    'lydian_rpc_seconds_bucket{rpc="FunctionMap",le="0.005"} 1',
    'lydian_rpc_seconds_bucket{rpc="FunctionMap",le="0.1"} 2',
    'lydian_rpc_seconds_bucket{rpc="FunctionMap",le="+Inf"} 3',
    'lydian_rpc_seconds_count{rpc="FunctionMap"} 3',
    "lydian_inputs_queued_total 5",
    'lydian_containers_ended_total{reason="outOfMemory"} 1',
  ]) {
    assert.ok(lines.includes(line), `${line}\nis not in\n${lines.join("\n")}`);
  }
});

test("names of apps may be anything: what means something to Prometheus is written so that it does not", () => {
  const text = expose([
    { name: "a", help: "back\\slash", type: "gauge", samples: [{ labels: { app: 'say "hi"\\\n' }, value: 1.5 }] },
  ]);
  assert.equal(text, '# HELP a back\\\\slash\n# TYPE a gauge\na{app="say \\"hi\\"\\\\\\n"} 1.5\n');
});

/** kill -9 of everything during all ways of calling: every input has one result, in order, and runs again only if its container was killed. */
import { test } from "node:test";

import { missingClient, newestClient, seededRandom, usualRuntime } from "@lydian/testkit";

import type { Aim } from "../faults/aims.ts";
import { faultRun } from "../faults/fault-run.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "containers cannot run here";

/** tests/soak has the same with hundreds of kills by chance, and 10,000 inputs. */
const rounds: readonly (readonly Aim[])[] = [
  [
    { victims: ["server"], moments: ["run"] },
    { victims: ["init"], moments: ["run"] },
  ],
  [
    { victims: ["worker"], moments: ["run", "idle"] },
    { victims: ["server", "worker"], moments: ["run"] },
  ],
];

test("kills during maps, spawns, generators and methods", { skip, timeout: 300_000 }, async (t) => {
  await faultRun({
    clients: 1,
    args: ["--calls", "map,spawn,method,generator"],
    rounds,
    random: seededRandom(5),
    say: (line) => t.diagnostic(line),
  });
});

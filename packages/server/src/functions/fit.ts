/**
 * Whether any worker could ever hold a function's containers. One that asks for more processors or memory than the largest
 * worker has gets what that has, so that programs written for a cloud run on one machine; an accelerator or a region that
 * no worker has is refused.
 */
import type { Function } from "@lydian/contract";

import type { FunctionPolicy } from "../domain/function.ts";
import { type Capacity, coversGpu, largest, matchesPlace, type WorkerView } from "../domain/worker.ts";
import { fail } from "../errors.ts";

/**
 * Sentences about what the function will not get, for the client to print; `strict` refuses instead. Without a worker
 * nothing is known.
 */
export function checkFit(
  { functionName: name, cloudBucketMounts }: Pick<Function, "functionName" | "cloudBucketMounts">,
  policy: FunctionPolicy,
  workers: readonly WorkerView[],
  { strict }: { strict: boolean },
): string[] {
  if (workers.length === 0) return [];
  if (cloudBucketMounts.length > 0) refuseMissingTool(name, workers);
  refuseMissingGpus(name, policy, workers);
  refuseMissingPlace(name, policy, workers);
  const { regions, cloud } = policy.needs;
  const nowhere =
    (regions.length > 0 && workers.every(({ labels }) => labels["region"] === undefined)) ||
    (cloud !== "" && workers.every(({ labels }) => labels["cloud"] === undefined));
  const place = [...regions, ...(cloud ? [cloud] : [])].join(", ");
  const anywhere = `Function "${name}" asks for a place (${place}), and the workers name none. It runs on any of them.`;
  const most = largest(workers);
  const amounts: readonly [keyof Capacity, (amount: number) => string][] = [
    ["milliCpu", (amount) => `${amount / 1000} cores`],
    ["memoryMib", (amount) => `${amount} MiB of memory`],
  ];
  const lacking = amounts.filter(([key]) => policy.needs[key] > most[key]);
  const cut = lacking.map(([key, text]) => {
    const sentence = `Function "${name}" asks for ${text(policy.needs[key])}, and the largest worker has ${text(most[key])}.`;
    if (strict) throw fail("invalidArgument", sentence, { hint: "Ask for less" });
    return `${sentence} Its containers get those.`;
  });
  return nowhere ? [anywhere, ...cut] : cut;
}

function refuseMissingTool(name: string, workers: readonly WorkerView[]): void {
  if (workers.some(({ mountsBuckets }) => mountsBuckets)) return;
  throw fail("failedPrecondition", `Function "${name}" mounts a cloud bucket, which no worker can.`, {
    hint:
      "Install rclone and fuse3 on the worker's machine (Debian: apt-get install rclone fuse3) and start the platform again, " +
      "with the runtime runc; `lydian doctor` says what is missing",
  });
}

function refuseMissingGpus(name: string, { needs }: FunctionPolicy, workers: readonly WorkerView[]): void {
  const all = workers.flatMap(({ gpus }) => gpus);
  const isThere = needs.gpus.some((asked) =>
    all.some(({ kind, count }) => coversGpu(asked.kind, kind) && count >= asked.count),
  );
  if (needs.gpus.length === 0 || isThere) return;
  const asked = needs.gpus.map(({ kind, count }) => `${kind}:${count}`).join(" or ");
  const there = all.length === 0 ? "none" : all.map(({ kind, count }) => `${kind}:${count}`).join(", ");
  throw fail("invalidArgument", `Function "${name}" asks for a GPU that no worker has: ${asked}.`, {
    hint: `GPUs of the workers: ${there}.`,
  });
}

function refuseMissingPlace(name: string, { needs }: FunctionPolicy, workers: readonly WorkerView[]): void {
  if (workers.some(({ labels }) => matchesPlace(needs, labels))) return;
  const asked = [
    ...needs.regions.map((region) => `region ${region}`),
    ...(needs.cloud ? [`cloud ${needs.cloud}`] : []),
  ];
  const there = workers.map(({ labels }) => `${labels["cloud"] ?? "-"}/${labels["region"] ?? "-"}`).join(", ");
  throw fail("invalidArgument", `Function "${name}" asks for ${asked.join(", ")}, where no worker is.`, {
    hint: `Workers are in (cloud/region): ${there}.`,
  });
}

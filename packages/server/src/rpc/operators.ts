/** What the operator's commands ask for. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";

import { cancelCall } from "../calls/cancel.ts";
import { inspectCall, listCalls } from "../calls/report.ts";
import { retryCall } from "../calls/retry.ts";
import type { Amount, ContentCollector, ContentGarbage } from "../content/collect.ts";
import type { ImageCollector } from "../images/collect.ts";
import { findEnvironment } from "../identity/environments.ts";
import { listSchedules, runSchedule } from "../schedules/report.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import { type Platform, contextOf, once } from "./platform.ts";

export function operatorRpcs(
  platform: Platform,
  { images: imageCollector, contents }: { images: ImageCollector; contents: ContentCollector },
): Rpcs<typeof operator.Operators> {
  const { store } = platform;
  return {
    listCalls: user(async (request) => ({ calls: await store.read((tx) => listCalls(tx, request)) })),
    inspectCall: user((request) => store.read((tx) => inspectCall(tx, request))),
    cancelCall: user(async ({ callId, endContainers }) => {
      await store.write((tx) => cancelCall(tx, { callId, endContainers }, contextOf(platform)));
      return {};
    }),
    retryCall: user(({ callId }, call) =>
      once(platform, call, operator.RetryCallResponseSchema, async (tx, context) => {
        const { id, inputs } = await retryCall(tx, callId, platform.config.limits, context);
        return { callId: id, inputs };
      }),
    ),
    listSchedules: user(async (request) => ({ schedules: await store.read((tx) => listSchedules(tx, request)) })),
    runSchedule: user((request, call) =>
      once(platform, call, operator.RunScheduleResponseSchema, async (tx, context) => {
        const { id } = await runSchedule(tx, request, platform.config.limits, context);
        return { callId: id };
      }),
    ),
    findStoppedApp: user(({ name, environment }) =>
      store.read(async (tx) => {
        const { id } = await findEnvironment(tx, environment);
        return { appId: (await tx.apps.lastOver(id, name))?.id ?? "" };
      }),
    ),
    rotateSecretsKey: user(() => platform.vault.rotate()),
    collectGarbage: user(async ({ unusedMs, mostBytes, images, dryRun: isDry }) => {
      const unused = unusedMs === undefined ? undefined : Number(unusedMs);
      const { workers, forgotten, logBytes } = await imageCollector.collect({
        unusedMs: unused,
        mostBytes: mostBytes === undefined ? undefined : Number(mostBytes),
        named: images,
        isDry,
      });
      const content = images.length > 0 ? undefined : await contents.collect({ unneededMs: unused, isDry });
      return {
        ...{ workers, forgottenImages: forgotten, logBytes: BigInt(logBytes) },
        ...(content && { content: wireContent(content) }),
      };
    }),
  };
}

function wireContent(found: ContentGarbage): MessageInitShape<typeof operator.ContentGarbageSchema> {
  const amount = ({ files, bytes }: Amount) => ({ files: BigInt(files), bytes: BigInt(bytes) });
  return { removed: amount(found.removed), waiting: amount(found.waiting), needed: amount(found.needed) };
}

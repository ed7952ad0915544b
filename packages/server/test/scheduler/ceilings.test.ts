/** Ceilings of apps and environments: by examples, then by what holds for every input. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import type { Container } from "../../src/domain/container.ts";
import type { Room } from "../../src/domain/worker.ts";
import { type Ceilings, type HeldBack, type Owner, ceilingsBy, makeWay } from "../../src/scheduler/ceilings.ts";
import { place } from "../../src/scheduler/place.ts";
import { container, needs, noSlack, worker } from "../support/rows.ts";

type AppId = Container["appId"];

/** Two apps of one environment, and one of another. */
const owners: Owner[] = [
  { appId: "ap-1", environmentId: "en-1" },
  { appId: "ap-2", environmentId: "en-1" },
  { appId: "ap-3", environmentId: "en-2" },
];

const room: Room = { ...worker({ capacity: { milliCpu: 100_000, memoryMib: 100_000 } }), starts: 100, slack: noSlack };
const wanted = (...apps: AppId[]) => apps.map((appId) => ({ ...needs(), appId }));
const of = (...apps: AppId[]): Container[] => apps.map((appId, n) => container({ id: `ta-${n}`, appId }));
const placed = (requests: ReturnType<typeof wanted>, ceilings: Ceilings<{ appId: string }>, rooms = [room]) => {
  const { placements, held } = place(requests, rooms, ceilings);
  return {
    placed: placements.map(({ request }) => request.appId),
    held: held.map(({ request, full }) => [request.appId, full.kind, full.most]),
  };
};

describe("a ceiling", () => {
  it("that nobody has set holds nothing back", () => {
    const requests = wanted("ap-1", "ap-1", "ap-2");
    const expected = { placed: ["ap-1", "ap-1", "ap-2"], held: [] };
    assert.deepEqual(placed(requests, ceilingsBy({}, owners, of("ap-1", "ap-1"))), expected);
  });

  it("of apps holds back what is too many of one, with what is there already, and lets others pass", () => {
    const ceilings = ceilingsBy({ appContainers: 2 }, owners, of("ap-1"));
    assert.deepEqual(placed(wanted("ap-1", "ap-1", "ap-2", "ap-3"), ceilings), {
      placed: ["ap-1", "ap-2", "ap-3"],
      held: [["ap-1", "app", 2]],
    });
  });

  it("of environments counts all of their apps", () => {
    const ceilings = ceilingsBy({ environmentContainers: 2 }, owners, of("ap-1"));
    assert.deepEqual(placed(wanted("ap-2", "ap-1", "ap-3", "ap-3", "ap-3"), ceilings), {
      placed: ["ap-2", "ap-3", "ap-3"],
      held: [
        ["ap-1", "environment", 2],
        ["ap-3", "environment", 2],
      ],
    });
  });

  it("of one environment by its name stands in the place of the one for all", () => {
    const names = new Map([["en-2", "staging"]]);
    const limits = { environmentContainers: 2, environments: { staging: { containers: 1 }, gone: { containers: 1 } } };
    const ceilings = ceilingsBy(limits, owners, [], names);
    assert.deepEqual(placed(wanted("ap-1", "ap-2", "ap-3", "ap-3", "ap-1"), ceilings), {
      placed: ["ap-1", "ap-2", "ap-3"],
      held: [
        ["ap-3", "environment", 1],
        ["ap-1", "environment", 2],
      ],
    });
    const alone = ceilingsBy({ environments: { staging: { containers: 1 } } }, owners, of("ap-3"), names);
    assert.deepEqual(placed(wanted("ap-1", "ap-1", "ap-1", "ap-3"), alone), {
      placed: ["ap-1", "ap-1", "ap-1"],
      held: [["ap-3", "environment", 1]],
    });
  });

  it("is not reached by what no worker has room for", () => {
    const large = { ...needs({ milliCpu: 999_999 }), appId: "ap-1" as const };
    const ceilings = ceilingsBy({ appContainers: 1 }, owners, []);
    assert.deepEqual(placed([large, ...wanted("ap-1")], ceilings), { placed: ["ap-1"], held: [] });
  });

  it("is never exceeded, and holds nothing back before it is reached", () => {
    const random = seededRandom(3);
    const apps = owners.map(({ appId }) => appId as AppId);
    const some = () => Array.from({ length: random.below(9) }, () => random.pick(apps) ?? "ap-1");
    for (let round = 0; round < 2_000; round++) {
      const limits = {
        ...(random.once(3) ? {} : { appContainers: 1 + random.below(5) }),
        ...(random.once(3) ? {} : { environmentContainers: 1 + random.below(7) }),
      };
      const there = some();
      const found = placed(wanted(...some()), ceilingsBy(limits, owners, of(...there)), [
        { ...room, starts: random.below(12) },
      ]);
      const after = [...there, ...found.placed];
      const environment = (appId: string) => owners.find((each) => each.appId === appId)?.environmentId;
      const { appContainers: perApp = 999, environmentContainers: perEnvironment = 999 } = limits;
      for (const app of found.placed) {
        assert.ok(after.filter((each) => each === app).length <= perApp);
        assert.ok(after.filter((each) => environment(each) === environment(app)).length <= perEnvironment);
      }
      for (const [app, kind] of found.held) {
        const inApp = after.filter((each) => each === app).length;
        const inEnvironment = after.filter((each) => environment(each) === environment(String(app))).length;
        assert.ok(kind === "app" ? inApp >= perApp : inEnvironment >= perEnvironment);
      }
    }
  });
});

describe("way for what a ceiling holds back", () => {
  const limits = { appContainers: 2, environmentContainers: 3 };
  const there = of("ap-1", "ap-1", "ap-2", "ap-3");
  const { scopesOf } = ceilingsBy(limits, owners, there);
  const held = (appId: AppId, kind: "app" | "environment"): HeldBack<{ appId: AppId }> => ({
    request: { appId },
    full: scopesOf({ appId }).find((scope) => scope.kind === kind) ?? assert.fail(kind),
  });
  const ends = (all: HeldBack<{ appId: AppId }>[], candidates: Container[], ending: Container[] = []): string[] =>
    makeWay(all, ending, () => candidates, scopesOf).map(({ id }) => id);

  it("is made by the first candidate of the same app, or of any app of the environment", () => {
    assert.deepEqual(ends([held("ap-1", "app")], there.toReversed()), ["ta-1"]);
    assert.deepEqual(ends([held("ap-1", "environment")], there.toReversed()), ["ta-2"]);
    assert.deepEqual(ends([held("ap-3", "app")], there.slice(0, 3)), []);
  });

  it("is made for each by another one, and not where one is ending already", () => {
    const twice = [held("ap-1", "app"), held("ap-1", "app"), held("ap-1", "app")];
    assert.deepEqual(ends(twice, there), ["ta-0", "ta-1"]);
    assert.deepEqual(ends(twice.slice(0, 2), there, there.slice(0, 1)), ["ta-1"]);
    assert.deepEqual(ends(twice.slice(0, 1), there, there.slice(0, 1)), []);
    assert.deepEqual(ends(twice.slice(0, 1), there, there.slice(3)), ["ta-0"], "what ends elsewhere is no help");
  });
});

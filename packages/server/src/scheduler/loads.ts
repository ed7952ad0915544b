/** What containers are busy with that stands in no database, added to what does: a pure function. */
import type { Container, Load } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";

export interface View {
  readonly demands: readonly Demand[];
  readonly containers: readonly Container[];
}

export function withLoads({ demands, containers }: View, loads: readonly Load[]): View {
  if (loads.length === 0) return { demands, containers };
  const byContainer = new Map(loads.map((load) => [load.containerId, load]));
  const byFunction = new Map<string, number>();
  for (const { functionId, requests } of loads)
    byFunction.set(functionId, (byFunction.get(functionId) ?? 0) + requests);
  return {
    demands: demands.map((each) => ({ ...each, claimed: each.claimed + (byFunction.get(each.functionId) ?? 0) })),
    containers: containers.map((each) => {
      const { requests, until } = byContainer.get(each.id) ?? { requests: 0, until: 0 };
      return { ...each, held: each.held + requests, idleSince: Math.max(each.idleSince, until) };
    }),
  };
}

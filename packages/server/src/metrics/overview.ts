/** The platform as one look at its store shows it: what is asked for, what runs, what is being made. */
import type { App } from "../domain/app.ts";
import type { Container } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";

/** A function that has inputs without an output, or containers, or always wants some. */
export interface BusyFunction extends Pick<Demand, "functionId" | "queued" | "claimed" | "delayed"> {
  readonly app: App;
  readonly name: string;
  readonly environment: string;
  readonly containers: readonly Container[];
}

export interface Overview {
  /** Those that have not stopped. */
  readonly apps: readonly App[];
  readonly functions: readonly BusyFunction[];
  /** Those that are not gone. */
  readonly containers: readonly Container[];
  readonly images: { readonly wanted: number; readonly building: number };
  /** Names by their ids. */
  readonly environments: ReadonlyMap<string, string>;
}

export async function overview(tx: Tx): Promise<Overview> {
  const containers = await tx.containers.alive();
  const byFunction = Map.groupBy(containers, ({ functionId }) => functionId);
  const environments = new Map((await tx.identity.environments()).map(({ id, name }) => [id as string, name]));
  const functions: BusyFunction[] = [];
  for (const { functionId, appId, environmentId, queued, claimed, delayed } of await tx.functions.demands()) {
    const [app, target] = [await tx.apps.get(appId), await tx.functions.target(functionId)];
    if (app === undefined || target === undefined) continue;
    functions.push({
      ...{ functionId, queued, claimed, delayed, app, name: target.name },
      environment: environments.get(environmentId) ?? "",
      containers: byFunction.get(functionId) ?? [],
    });
  }
  const underWay = await tx.images.underWay();
  const building = underWay.filter(({ state }) => state === "building").length;
  return {
    apps: await tx.apps.inStates(["ephemeral", "detached", "disconnected", "deployed", "stopping"]),
    functions,
    containers,
    images: { wanted: underWay.length - building, building },
    environments,
  };
}

/** What the containers of one worker have asked for. */
export function takenOn(
  workerId: string,
  containers: readonly Container[],
): Pick<Container, "milliCpu" | "memoryMib"> & { containers: number } {
  const own = containers.filter((container) => container.workerId === workerId);
  const sum = (what: "milliCpu" | "memoryMib"): number => own.reduce((total, each) => total + each[what], 0);
  return { milliCpu: sum("milliCpu"), memoryMib: sum("memoryMib"), containers: own.length };
}

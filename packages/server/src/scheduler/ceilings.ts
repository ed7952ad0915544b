/** How many containers an app, and an environment, may have at a time by the operator's settings: pure decisions. */
import type { Limits } from "../config.ts";
import type { Container } from "../domain/container.ts";

export interface Owner {
  appId: string;
  environmentId: string;
}

/** An app or an environment, and the most containers that it may have. */
export interface Scope {
  kind: "app" | "environment";
  id: string;
  most: number;
}

export interface Ceilings<Of> {
  /** Those that hold for it, the narrower one first. */
  scopesOf: (of: Of) => readonly Scope[];
  /** What there is now, by the scope's id. */
  counts: ReadonlyMap<string, number>;
}

export const noCeilings: Ceilings<unknown> = { scopesOf: () => [], counts: new Map() };

export type CeilingSettings = Pick<Limits, "appContainers" | "environmentContainers" | "environments">;

/** `owners` are those of all functions that have containers; `names` of environments, by their ids. */
export function ceilingsBy(
  { appContainers, environmentContainers, environments: single = {} }: CeilingSettings,
  owners: readonly Owner[],
  containers: readonly Pick<Container, "appId">[],
  names: ReadonlyMap<string, string> = new Map(),
): Ceilings<Pick<Owner, "appId">> {
  const environments = new Map(owners.map(({ appId, environmentId }) => [appId, environmentId]));
  const scopesOf = ({ appId }: Pick<Owner, "appId">): Scope[] => {
    const id = environments.get(appId) ?? "";
    const most = single[names.get(id) ?? ""]?.containers ?? environmentContainers;
    return [
      ...(appContainers === undefined ? [] : [{ kind: "app" as const, id: appId, most: appContainers }]),
      ...(most === undefined ? [] : [{ kind: "environment" as const, id, most }]),
    ];
  };
  const counts = new Map<string, number>();
  for (const container of containers) for (const { id } of scopesOf(container)) add(counts, id);
  return { scopesOf, counts };
}

export function add(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}

/** The first of the request's scopes that has no room for one more. */
export function fullScope(scopes: readonly Scope[], counts: ReadonlyMap<string, number>): Scope | undefined {
  return scopes.find(({ id, most }) => (counts.get(id) ?? 0) >= most);
}

export interface HeldBack<Request> {
  request: Request;
  /** What is full. */
  full: Scope;
}

/**
 * Which containers end for requests that their ceilings hold back: one of the same scope for each, unless one is ending
 * there already. `candidates` says which could be had for a request, those to end first at the front.
 */
export function makeWay<Request>(
  held: readonly HeldBack<Request>[],
  ending: readonly Container[],
  candidates: (request: Request) => readonly Container[],
  scopesOf: (container: Container) => readonly Scope[],
): Container[] {
  const leaving = new Set(ending);
  const taken = new Set(ending);
  const chosen: Container[] = [];
  for (const { request, full } of held) {
    const isInside = (container: Container): boolean => scopesOf(container).some(({ id }) => id === full.id);
    const comes = [...leaving].find(isInside);
    if (comes !== undefined) {
      leaving.delete(comes);
      continue;
    }
    const victim = candidates(request).find((each) => !taken.has(each) && isInside(each));
    if (victim === undefined) continue;
    taken.add(victim);
    chosen.push(victim);
  }
  return chosen;
}

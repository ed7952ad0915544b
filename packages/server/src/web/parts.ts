/** What brings requests from outside into containers, put together. */
import type { Dials } from "../workers/dials.ts";
import { Addresses } from "./addresses.ts";
import { WebCalls, type WebCallsDeps } from "./calls.ts";
import { Desks, type DesksDeps } from "./desks.ts";
import { StraightCalls, type StraightDeps } from "./straight.ts";
import { Tunnels, type TunnelsDeps } from "./tunnels.ts";

export type WebPartsDeps = WebCallsDeps &
  Omit<StraightDeps, "web"> &
  Omit<DesksDeps, "web"> &
  TunnelsDeps & { dials: Dials };

export interface WebParts {
  web: WebCalls;
  addresses: Addresses;
  desks: Desks;
  straight: StraightCalls;
  tunnels: Tunnels;
  /** What acts by itself, in the order in which it starts. */
  webActors: readonly { start(): void | Promise<void>; close?(): void | Promise<void> }[];
  /** The container is gone. */
  cut: (containerId: string) => void;
}

export function webParts(deps: WebPartsDeps): WebParts {
  const web = new WebCalls(deps);
  const straight = new StraightCalls({ ...deps, web });
  const desks = new Desks({ ...deps, web });
  const tunnels = new Tunnels(deps);
  const cut = (containerId: string): void => {
    desks.cut(containerId);
    straight.cut(containerId);
    tunnels.cut(containerId);
    deps.dials.cut(containerId);
  };
  const addresses = new Addresses(deps);
  const webActors = [{ start: () => web.start() }, addresses, { start: () => {}, close: () => tunnels.close() }];
  return { web, addresses, desks, straight, tunnels, webActors, cut };
}

/** What containers need of this machine: the worker's own probes, run once. */
import { type HostCapabilities, probeHost } from "@lydian/worker";

import type { DataLayout } from "../paths.ts";
import type { Check } from "./check.ts";

export type ProbeHost = (options: { data: string }) => Promise<Pick<HostCapabilities, "findings">>;

export function hostCheck(layout: DataLayout, probe: ProbeHost = probeHost): Check {
  return { name: "Containers", run: async () => (await probe({ data: layout.worker })).findings };
}

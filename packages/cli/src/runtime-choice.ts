/** What runs functions: containers, or plain processes where somebody has said so. */
import { PlatformError } from "@lydian/kit";
import { containersPossible, type HostFinding } from "@lydian/worker";

export const runtimeNames = ["runc", "process"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** Of whoever does not choose. */
export const usualRuntime: RuntimeName = "runc";

/** Says what this machine lacks for containers; isolation is never given up silently. */
export function refuseUnlessPossible(findings: readonly HostFinding[]): void {
  const blocking = containersPossible(findings);
  if (blocking.length === 0) return;
  const lines = blocking.flatMap(({ name, detail, remedy }) => [
    `  ${name}: ${detail}`,
    ...(remedy === undefined ? [] : [`    -> ${remedy}`]),
  ]);
  throw new PlatformError(`containers cannot run on this machine\n${lines.join("\n")}`, {
    hint: "see to that, or run functions as plain processes, without isolation: lydian up --runtime process",
  });
}

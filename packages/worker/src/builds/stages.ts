/** The stages of a Dockerfile, and which of them its last one needs. Pure. */
import { PlatformError } from "@lydian/kit";

import type { Located } from "./dockerfile.ts";
import { expand, type Variables } from "./words.ts";

export interface Stage {
  readonly name: string | undefined;
  /** What stands after FROM, expanded. */
  readonly base: string;
  /** The stage that it goes on from, if it is one. */
  readonly from: Stage | undefined;
  readonly instructions: readonly Located[];
  /** Those above it, in their order. */
  readonly before: readonly Stage[];
}

/** `given` are the build's arguments. Answers the ARGs that stand before the first FROM, too. */
export function stagesOf(all: readonly Located[], given: Variables): { stages: readonly Stage[]; args: Variables } {
  const first = all.findIndex(({ kind }) => kind === "from");
  const args: Record<string, string> = {};
  for (const instruction of all.slice(0, first)) {
    if (instruction.kind !== "arg") continue;
    const value = given[instruction.name] ?? (instruction.value && expand(instruction.value, args));
    if (value !== undefined) args[instruction.name] = value;
  }
  const stages: Stage[] = [];
  for (const [index, instruction] of all.entries()) {
    if (instruction.kind !== "from") continue;
    const next = all.findIndex(({ kind }, at) => at > index && kind === "from");
    const base = expand(instruction.image, args);
    if (base === "") throw new PlatformError(`Dockerfile line ${instruction.line}: FROM names no image`);
    stages.push({
      name: instruction.name,
      base,
      from: stages.find(({ name }) => name === base.toLowerCase()),
      instructions: all.slice(index + 1, next === -1 ? undefined : next),
      before: [...stages],
    });
  }
  return { stages, args };
}

/** The last stage and all that it stands on or copies from, in the order in which they are to be made. */
export function lastNeeded(stages: readonly Stage[]): readonly Stage[] {
  const needed = new Set<Stage>();
  const need = (stage: Stage | undefined): void => {
    if (stage === undefined || needed.has(stage)) return;
    needed.add(stage);
    need(stage.from);
    for (const instruction of stage.instructions) {
      if (instruction.kind === "copy" && instruction.from !== undefined) need(stageNamed(instruction.from, stage));
    }
  };
  need(stages.at(-1));
  return stages.filter((stage) => needed.has(stage));
}

/** The stage above this one that COPY --from means, by name or number; undefined when it means an image. */
export function stageNamed(name: string, { before }: Pick<Stage, "before">): Stage | undefined {
  return (
    before.find((each) => each.name === name.toLowerCase()) ?? (/^\d+$/.test(name) ? before[Number(name)] : undefined)
  );
}

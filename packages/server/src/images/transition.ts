/** Moves images from state to state: the one place where their rows change, and who is told. */
import { failWaiting } from "../containers/end.ts";
import { demandBell, imagesBell, logsBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import { type Image, type ImageEvent, isUnderWay, type Outcome, step } from "../domain/image.ts";
import type { Tx } from "../domain/store.ts";
import { formatCursor } from "../logs/cursor.ts";
import { logStart } from "../logs/log-book.ts";

/** Answers what it is then; undefined where the event changes nothing. */
export async function moveImage(tx: Tx, id: string, event: ImageEvent, context: Context): Promise<Image | undefined> {
  const image = await tx.images.get(id);
  const next = image && step(image, event, context.now);
  if (next === undefined) return undefined;
  await tx.images.put(next);
  tx.ring(imagesBell);
  tx.ring(logsBell(id));
  if (isUnderWay(next.state)) return next;
  tx.ring(demandBell); // containers may have waited for it
  if (next.state === "failed") await tellFunctions(tx, next, context);
  return next;
}

/** Its log is told from here on, to whoever comes to see it made. */
export async function logEndOf(tx: Tx, id: string): Promise<string> {
  return formatCursor((await tx.logs.end(id)) ?? logStart);
}

/** Somebody waits for it. `isMissing`: it was built, and no worker has it. */
export async function wantImage(
  tx: Tx,
  id: string,
  { isMissing }: { isMissing: boolean },
  context: Context,
): Promise<Image | undefined> {
  return await moveImage(tx, id, { kind: isMissing ? "miss" : "want", logFrom: await logEndOf(tx, id) }, context);
}

export async function endBuild(
  tx: Tx,
  { id, fence }: Pick<Image, "id" | "fence">,
  outcome: Outcome,
  context: Context,
): Promise<void> {
  await moveImage(tx, id, { kind: "end", fence, outcome }, context);
}

/** The worker is lost. Answers what it was making. */
export async function loseBuilds(tx: Tx, workerId: string, reason: string, context: Context): Promise<Image[]> {
  const lost = (await tx.images.underWay()).filter((image) => image.workerId === workerId);
  for (const image of lost) await endBuild(tx, image, { kind: "lost", reason }, context);
  return lost;
}

/** Functions whose containers wait for an image that is not there any more, and cannot be made again. */
async function tellFunctions(tx: Tx, { id, failure }: Image, context: Context): Promise<void> {
  for (const { functionId, imageId } of await tx.functions.demands()) {
    if (imageId !== id) continue;
    await failWaiting(tx, functionId, `Its image ${id} could not be made again. ${failure?.message ?? ""}`, context);
  }
}

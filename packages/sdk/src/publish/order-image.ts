/** Has one image made, as the wire describes it, and follows its build. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type GenericResult,
  GenericResult_GenericStatus as Status,
  type ImageSchema,
  ModalClient,
} from "@lydian/contract";

import type { OnLine } from "./observer.ts";
import { ConnectionError, LydianError } from "../errors.ts";
import type { AppPlace } from "../objects/place.ts";

const holdSeconds = 55;
const streamMs = 75_000;
/** A stream that breaks off is opened again for so long, in milliseconds. */
const patienceMs = 120_000;
const reopenMs = 500;

/** As the wire describes it. Throws with the failing step's own words. */
export async function orderImage(
  { client, appId }: AppPlace,
  image: MessageInitShape<typeof ImageSchema>,
  onLine: OnLine | undefined,
): Promise<string> {
  const { imageId, result } = await client.ask(
    ModalClient.method.imageGetOrCreate,
    { image, appId },
    { timeoutMs: 120_000 },
  );
  const known = result !== undefined && result.status !== Status.UNSPECIFIED ? result : undefined;
  const end = known ?? (await followBuild({ client, appId } as AppPlace, imageId, onLine));
  if (end.status === Status.SUCCESS) return imageId;
  const [what = "", ...printed] = (end.exception || "its build was ended").split("\n");
  // What its steps printed is said once: where it was not shown as they printed it.
  const isShown = known === undefined && onLine !== undefined;
  throw new LydianError(`the image could not be made: ${isShown ? what : [what, ...printed].join("\n")}`, {
    ...(printed.length > 0 && {
      hint: `the lines ${isShown ? "above" : "below it"} are the last that the step printed`,
    }),
  });
}

async function followBuild({ client }: AppPlace, imageId: string, onLine: OnLine | undefined): Promise<GenericResult> {
  let lastEntryId = "";
  let lostAt: number | undefined;
  for (;;) {
    try {
      const request = { imageId, timeout: holdSeconds, lastEntryId };
      for await (const page of client.follow(ModalClient.method.imageJoinStreaming, request, { timeoutMs: streamMs })) {
        lostAt = undefined;
        lastEntryId = page.entryId || lastEntryId;
        for (const { data } of page.taskLogs) onLine?.(data);
        if (page.result !== undefined && page.result.status !== Status.UNSPECIFIED) return page.result;
      }
    } catch (error) {
      lostAt ??= Date.now();
      if (!(error instanceof ConnectionError) || Date.now() - lostAt > patienceMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, reopenMs));
    }
  }
}

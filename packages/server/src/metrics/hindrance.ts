/** What keeps a platform from doing its work, for people and for whoever asks whether it is ready. */
import type { Store } from "../domain/store.ts";
import type { WorkerView } from "../domain/worker.ts";

export interface HindranceDeps {
  store: Pick<Store, "read">;
  sessions: { workers(): readonly WorkerView[] };
  drain: { readonly isOn: boolean };
}

/** Undefined when nothing does. */
export async function hindranceOf({ store, sessions, drain }: HindranceDeps): Promise<string | undefined> {
  if (drain.isOn)
    return "The platform rests: no container begins until `lydian drain --undo`, or until it is started again.";
  if (sessions.workers().length === 0) return "No worker is connected.";
  await store.read((tx) => tx.identity.workspace());
  return undefined;
}

/** Under which address the caller reaches this server over HTTP. */
import type { Call } from "./adapter-call.ts";
import type { Platform } from "./platform.ts";

/** The loopback side of a container's door where it has one, else the address that everybody uses. */
export async function baseFor(platform: Platform, { caller }: Call): Promise<string> {
  if (caller.kind !== "container") return platform.config.publicUrl;
  // A function may be called in a build, under the image's id.
  const found = await platform.store.read(
    async (tx) => (await tx.containers.get(caller.id)) ?? (await tx.images.get(caller.id)),
  );
  const ownNetwork = found !== undefined && platform.sessions.hasOwnNetwork(found.workerId);
  return ownNetwork ? "http://127.0.0.1:8700" : platform.config.publicUrl;
}

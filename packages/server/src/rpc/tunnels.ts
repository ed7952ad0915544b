/** `modal.forward`: a container makes one of its ports reachable from outside. */
import { type ModalClient, TunnelType } from "@lydian/contract";

import type { Acting } from "../workers/sessions.ts";
import { fail } from "../errors.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import type { Platform } from "./platform.ts";

export function tunnelRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { tunnels } = platform;
  return {
    tunnelStart: userOrContainer(async ({ port, unencrypted, tunnelType }, { caller }) => {
      const container = await callingContainer(platform, caller);
      if (port < 1 || port > 65_535) throw fail("invalidArgument", `${port} is no port.`);
      if (tunnelType === TunnelType.H2) {
        throw fail("failedPrecondition", "Tunnels speak HTTP/1.1 to their callers: leave h2_enabled out.");
      }
      const { tcp, ...address } = await tunnels.start(container, port, { isTcp: unencrypted });
      return { ...address, ...(tcp && { unencryptedHost: tcp.host, unencryptedPort: tcp.port }) };
    }),
    tunnelStop: userOrContainer(async ({ port }, { caller }) => ({
      exists: caller.kind === "container" && tunnels.stop(caller.id, port),
    })),
  };
}

/** One that is shut off from the network is reached by nobody either. */
async function callingContainer({ store, sessions }: Platform, caller: Call["caller"]): Promise<Acting> {
  if (caller.kind !== "container") throw fail("permissionDenied", "Only a container can forward its ports.");
  return await store.read(async (tx) => {
    const container = await tx.containers.get(caller.id);
    const demand = container && (await tx.functions.demand(container.functionId));
    if (container === undefined || demand === undefined || container.state === "gone") {
      throw fail("notFound", `Container ${caller.id} does not exist.`);
    }
    if (demand.policy.network.restricted) {
      throw fail(
        "failedPrecondition",
        "The function's network is blocked or limited, so its ports cannot be forwarded.",
      );
    }
    if (!sessions.hasOwnNetwork(container.workerId)) {
      throw fail(
        "failedPrecondition",
        "Functions that are processes of the host have no ports of their own to forward.",
        {
          hint: "Start the platform with containers: `lydian up --runtime runc`",
        },
      );
    }
    return container;
  });
}

/** All that the clients and their containers can ask for, by family. */
import type { ModalClient } from "@lydian/contract";

import type { Deliveries } from "../calls/deliveries.ts";
import type { BlobLinks } from "../content/blob-links.ts";
import type { ImageCollector } from "../images/collect.ts";
import type { PieceLinks } from "../volumes/piece-links.ts";
import type { Rpcs } from "./adapter-access.ts";
import { appLookupRpcs } from "./app-lookups.ts";
import { appRpcs } from "./apps.ts";
import { callHistoryRpcs } from "./call-history.ts";
import { callRpcs } from "./calls.ts";
import { containerExecRpcs } from "./container-execs.ts";
import { containerRpcs } from "./containers.ts";
import { deploymentRpcs } from "./deployments.ts";
import { dictRpcs } from "./dicts.ts";
import { environmentRpcs } from "./environments.ts";
import { functionRpcs } from "./functions.ts";
import { identityRpcs } from "./identity.ts";
import { imageLogRpcs } from "./image-logs.ts";
import { imageNameRpcs } from "./image-names.ts";
import { imageRpcs } from "./images.ts";
import { logsByTimeRpcs } from "./logs-by-time.ts";
import { logRpcs } from "./logs.ts";
import { lookupRpcs } from "./lookups.ts";
import { metricRpcs } from "./metrics.ts";
import { blobRpcs, mountRpcs } from "./mounts.ts";
import type { Platform } from "./platform.ts";
import { proxyTokenRpcs } from "./proxy-tokens.ts";
import { queueRpcs } from "./queues.ts";
import { scalingRpcs } from "./scaling.ts";
import { secretRpcs } from "./secrets.ts";
import type { ServerContainers } from "./server-containers.ts";
import { serverRequestRpcs } from "./server-requests.ts";
import { statisticsRpcs } from "./statistics.ts";
import { taskRpcs } from "./tasks.ts";
import { tokenRpcs } from "./tokens.ts";
import { tunnelRpcs } from "./tunnels.ts";
import { volumeChangeRpcs } from "./volume-changes.ts";
import { volumeFileRpcs } from "./volume-files.ts";
import { volumeRpcs } from "./volumes.ts";
import { webRpcs } from "./web.ts";

export interface ClientRpcParts {
  deliveries: Deliveries;
  servers: ServerContainers;
  images: ImageCollector;
  links: { blobs: BlobLinks; pieces: PieceLinks };
}

export function clientRpcs(
  platform: Platform,
  { deliveries, servers, images, links }: ClientRpcParts,
): Rpcs<typeof ModalClient>[] {
  return [
    identityRpcs(platform),
    environmentRpcs(platform),
    tokenRpcs(platform),
    appRpcs(platform),
    appLookupRpcs(platform),
    deploymentRpcs(platform),
    logRpcs(platform),
    logsByTimeRpcs(platform),
    mountRpcs(platform),
    blobRpcs(platform, links.blobs),
    imageRpcs(platform, images),
    imageNameRpcs(platform),
    imageLogRpcs(platform),
    functionRpcs(platform),
    lookupRpcs(platform),
    scalingRpcs(platform),
    secretRpcs(platform),
    dictRpcs(platform),
    queueRpcs(platform),
    callRpcs(platform),
    callHistoryRpcs(platform),
    statisticsRpcs(platform),
    metricRpcs(platform),
    serverRequestRpcs(platform),
    containerRpcs(platform, deliveries, servers),
    containerExecRpcs(platform),
    taskRpcs(platform),
    tunnelRpcs(platform),
    webRpcs(platform),
    proxyTokenRpcs(platform),
    volumeRpcs(platform),
    volumeFileRpcs(platform, links.pieces),
    volumeChangeRpcs(platform, links.pieces),
  ];
}

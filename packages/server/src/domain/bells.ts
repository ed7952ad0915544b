/** The names of the bells: who waits for what. */

/** Something that the scheduler looks at has changed. */
export const demandBell = "demand";
/** A container holds nothing any more, and nothing waits for it. */
export const idleBell = "idle";
/** An input of this function waits to be claimed. */
export const inputsBell = (functionId: string): string => `inputs:${functionId}`;
/** An output of this call is there, or there is nothing left to wait for. */
export const callBell = (callId: string): string => `call:${callId}`;
/** An input waits for a moment in time, or is to be stopped. */
export const alarmsBell = "alarms";
/** Something was too much for one unit of work. */
export const sweepsBell = "sweeps";
/** Somebody has answered this request for a token. */
export const tokenRequestBell = (id: string): string => `token-request:${id}`;
/** Web functions came, went, or have other host names. */
export const addressesBell = "addresses";
/** Schedules came or went. */
export const schedulesBell = "schedules";
/** A call's stream of data has grown. */
export const dataBell = (callId: string): string => `data:${callId}`;
/** This container is told something: to drain, or to cancel an input. */
export const containerBell = (containerId: string): string => `container:${containerId}`;
/** A web request waits for this container, in memory. */
export const deskBell = (containerId: string): string => `desk:${containerId}`;
/** An image is wanted, or no longer; builds begin and end. */
export const imagesBell = "images";
/** The log of this app or image has grown, or its state changed. */
export const logsBell = (appId: string): string => `logs:${appId}`;
/** The worker has a session. */
export const workerBell = (workerId: string): string => `worker ${workerId}`;
/** There are items in this partition of a queue for those who take them: as many may wake as there are new items. */
export const takersBell = (queueId: string, partition: Uint8Array): string => `takers:${placeOf(queueId, partition)}`;
/** The same for those who only look. */
export const lookersBell = (queueId: string, partition: Uint8Array): string => `lookers:${placeOf(queueId, partition)}`;
/** There is room again in this partition for those who put. */
export const roomBell = (queueId: string, partition: Uint8Array): string => `room:${placeOf(queueId, partition)}`;
/** This dict or queue is no more, or was emptied. */
export const objectBell = (id: string): string => `object:${id}`;
/** What was owed to this volume is here. */
export const volumeBell = (volumeId: string): string => `volume:${volumeId}`;
/** This request, which a client may have sent several times, has its reply. */
export const replyBell = (key: string): string => `reply:${key}`;

const placeOf = (queueId: string, partition: Uint8Array): string =>
  `${queueId}:${Buffer.from(partition).toString("hex")}`;

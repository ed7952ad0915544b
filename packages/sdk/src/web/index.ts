/** `lydian/web`: web sockets of web functions. */
export { type ServerSocket, upgradeWebSocket, type UpgradeOptions } from "./socket.ts";

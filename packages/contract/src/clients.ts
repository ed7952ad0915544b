// The public clients that the wire is checked against. ../clients.json says the same to set-up, which runs before Node 26.

/** Oldest first: the last that takes `concurrency_limit=`, one of 1.5, the newest. */
export const supportedPythonClients = ["1.3.5", "1.5.4", "1.6.4"] as const;

export type PythonClientVersion = (typeof supportedPythonClients)[number];

export const oldestPythonClient: PythonClientVersion = "1.3.5";
export const newestPythonClient: PythonClientVersion = "1.6.4";

/** A header that the TypeScript SDK and the `lydian` command alone send: what they are advised is then in their own words. */
export const sdkHeader = "x-lydian-sdk";

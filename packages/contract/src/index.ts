// The wire: message definitions and codecs of every protocol that Lydian speaks.

export * from "./bytes.ts";
export * from "./clients.ts";
export * from "./frames.ts";
export * from "./gen/index.ts";
export * from "./line-marks.ts";

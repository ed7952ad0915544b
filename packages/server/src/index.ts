/** What the command needs to know of the server to start it, and to copy and check its folder. */
export { bytesOf, copyDatabase, keyFiles, neededBy, type ServerFile, serverFiles } from "./backup.ts";
export {
  type BucketKey,
  type BucketSettings,
  bucketSchema,
  limitsSchema,
  type LimitsInput,
  timesSchema,
  type TimesInput,
  serverConfigSchema,
  type ServerConfig,
  type ServerConfigInput,
} from "./config.ts";
export { type CheckedContent, checkContent, type DamagedContent } from "./content/check.ts";
export { isSha256, type Sha256 } from "./content/digest.ts";
export { contentPlace, settlePlace } from "./content/placement.ts";
export type { ContentPlace } from "./content/place.ts";
export { holdRemovals } from "./content/removal-lock.ts";

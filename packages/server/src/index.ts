/** What the command needs to know of the server to start it, and to copy and check its folder. */
export { bytesOf, contentPlace, copyDatabase, keyFiles, neededBy, type ServerFile, serverFiles } from "./backup.ts";
export {
  limitsSchema,
  type LimitsInput,
  timesSchema,
  type TimesInput,
  serverConfigSchema,
  type ServerConfig,
  type ServerConfigInput,
} from "./config.ts";
export { type CheckedContent, checkContent, type DamagedContent } from "./content/check.ts";
export type { ContentPlace } from "./content/place.ts";
export { holdRemovals } from "./content/removal-lock.ts";

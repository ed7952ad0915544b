/** What the command needs to know of the server to start it. */
export {
  limitsSchema,
  type LimitsInput,
  timesSchema,
  type TimesInput,
  serverConfigSchema,
  type ServerConfig,
  type ServerConfigInput,
} from "./config.ts";

/** What the command needs to know of the server to start it. */
export {
  timesSchema,
  type TimesInput,
  serverConfigSchema,
  type ServerConfig,
  type ServerConfigInput,
} from "./config.ts";

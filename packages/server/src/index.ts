/** What the command needs to know of the server to start it. */
export { serverConfigSchema, type ServerConfig, type ServerConfigInput } from "./config.ts";

/** The commands by their names, in the order of the help. Each is loaded when it is asked for: all of them take a second. */
import type { CliCommand, CommandGroup } from "./command.ts";

type Entry = CliCommand | CommandGroup;

const loaders: Readonly<Record<string, () => Promise<Entry>>> = {
  up: async () => (await import("./commands/up.ts")).upCommand(),
  setup: async () => (await import("./commands/setup.ts")).setup,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  status: async () => (await import("./commands/status.ts")).status,
  run: async () => (await import("./commands/run.ts")).run,
  serve: async () => (await import("./commands/serve.ts")).serve,
  deploy: async () => (await import("./commands/deploy.ts")).deploy,
  shell: async () => (await import("./commands/shell.ts")).shell,
  logs: async () => (await import("./commands/logs.ts")).logs,
  stop: async () => (await import("./commands/stop.ts")).stop,
  app: async () => (await import("./commands/app.ts")).app,
  container: async () => (await import("./commands/container.ts")).container,
  call: async () => (await import("./commands/call.ts")).call,
  schedule: async () => (await import("./commands/schedule.ts")).schedule,
  image: async () => (await import("./commands/image.ts")).image,
  gc: async () => (await import("./commands/gc.ts")).gc,
  secret: async () => (await import("./commands/secret.ts")).secret,
  token: async () => (await import("./commands/token.ts")).token,
  "proxy-token": async () => (await import("./commands/proxy-token.ts")).proxyToken,
  volume: async () => (await import("./commands/volume.ts")).volume,
  dict: async () => (await import("./commands/dict.ts")).dict,
  queue: async () => (await import("./commands/queue.ts")).queue,
  environment: async () => (await import("./commands/environment.ts")).environment,
  backup: async () => (await import("./commands/backup.ts")).backup,
  restore: async () => (await import("./commands/restore.ts")).restore,
  drain: async () => (await import("./commands/drain.ts")).drain,
  completion: async () => (await import("./commands/completion.ts")).completion(allCommands),
};

export const allCommands = (): Promise<Entry[]> => Promise.all(Object.values(loaders).map((load) => load()));

/** The one that the arguments name, if there is one of that name; else all, which the help and errors show; none for the version. */
export async function commandsFor([name = ""]: readonly string[]): Promise<readonly Entry[]> {
  if (name === "--version" || name === "-V") return [];
  const load = Object.hasOwn(loaders, name) ? loaders[name] : undefined;
  return load === undefined ? await allCommands() : [await load()];
}

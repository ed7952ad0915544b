/** Where things lie: the data folder's layout, and the defaults by user. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** One platform's folder. Server and worker own their own folders and share no file. */
export interface DataLayout {
  readonly root: string;
  /** Held by the supervisor as long as it lives. */
  readonly lock: string;
  /** Who holds the lock, and at which address it can be reached. */
  readonly running: string;
  /** The owner's token, in the format of the clients' configuration. */
  readonly profile: string;
  readonly server: string;
  readonly worker: string;
  /** What to append to a `lydian` command for this folder: nothing for the default one. */
  readonly option: string;
}

/** `folder` as it was given with --data, if it was. */
export function layoutOf(folder: string | undefined, env: NodeJS.ProcessEnv): DataLayout {
  const usual = defaultDataFolder(env);
  const root = resolve(folder ?? usual);
  return {
    root,
    option: root === usual ? "" : ` --data ${shellWord(root)}`,
    lock: join(root, "lock"),
    running: join(root, "up.json"),
    profile: join(root, "profile.toml"),
    server: join(root, "server"),
    worker: join(root, "worker"),
  };
}

/** Whether this process may act for every user. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

export function homeOf(env: NodeJS.ProcessEnv): string {
  return env["HOME"] || homedir();
}

/** `root`: for the system's administrator. An empty XDG variable counts as not set, as its specification says. */
export function defaultDataFolder(env: NodeJS.ProcessEnv, root = isRoot()): string {
  return root ? "/var/lib/lydian" : join(env["XDG_DATA_HOME"] || join(homeOf(env), ".local", "share"), "lydian");
}

/** Packages of the public clients; safe to delete when no platform runs. */
export function defaultCacheFolder(env: NodeJS.ProcessEnv, root = isRoot()): string {
  if (env["LYDIAN_CACHE"]) return env["LYDIAN_CACHE"];
  return root ? "/var/cache/lydian" : join(env["XDG_CACHE_HOME"] || join(homeOf(env), ".cache"), "lydian");
}

/** The clients' own configuration file, found as they find it. */
export function clientConfigFile(env: NodeJS.ProcessEnv): string {
  return env["MODAL_CONFIG_PATH"] || join(homeOf(env), ".modal.toml");
}

/** As a word of a shell command that a person may copy. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

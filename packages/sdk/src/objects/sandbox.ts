/** Containers for code that is not the program's own. Their types are there so that programs can be written; no platform has them yet. */
import type { Duration } from "../duration.ts";
import { UnimplementedError } from "../errors.ts";
import type { Image } from "./image.ts";
import type { Secret } from "./secret.ts";
import type { Volume } from "./volume.ts";

/** How a sandbox is made. */
export interface SandboxOptions {
  /** As `App.lookup` answers it. */
  readonly app?: { readonly appId: string };
  /** Whose files it begins with. */
  readonly image?: Image;
  /** The program and its arguments; without it the sandbox waits for `exec`. */
  readonly command?: readonly string[];
  /** How long it may live; a number is in seconds. */
  readonly timeout?: Duration;
  /** By the folders that they are mounted at. */
  readonly volumes?: Readonly<Record<string, Volume>>;
  /** Their variables are its environment. */
  readonly secrets?: readonly Secret[];
  /** It reaches nothing. */
  readonly blockNetwork?: boolean;
  /** In cores. */
  readonly cpu?: number;
}

/** A stream of a program in a sandbox. */
export interface SandboxOutput extends AsyncIterable<string> {
  /** All of it, once it ends. */
  readText(): Promise<string>;
}

/** A program that runs in a sandbox. */
export interface SandboxProcess {
  /** What it prints. */
  readonly stdout: SandboxOutput;
  /** What it says beside that. */
  readonly stderr: SandboxOutput;
  /** Its exit code. */
  wait(): Promise<number>;
}

/** A container that is told from outside what to run. `Sandbox.create` throws an UnimplementedError: there are none yet. */
export interface Sandbox extends AsyncDisposable {
  /** Its files, by absolute paths. */
  readonly filesystem: {
    writeText(text: string, path: string): Promise<void>;
    readText(path: string): Promise<string>;
  };
  /** Starts a program in it; `timeout`: how long that may run. */
  exec(command: readonly string[], options?: { timeout?: Duration; workdir?: string }): Promise<SandboxProcess>;
  /** The exit code of its command, or undefined while it runs. */
  poll(): Promise<number | undefined>;
  /** The exit code of its command. */
  wait(): Promise<number>;
  /** Ends it, with all that runs in it. */
  terminate(): Promise<void>;
  /** Its files as they are now. */
  snapshotFilesystem(): Promise<Image>;
  /** By the ports of the sandbox. */
  tunnels(): Promise<Readonly<Record<number, { readonly url: string }>>>;
}

export const Sandbox = {
  /** Throws an UnimplementedError. */
  async create(_options: SandboxOptions = {}): Promise<Sandbox> {
    throw new UnimplementedError("sandboxes are still to come: this platform has none", {
      hint: "run the code in a function, with `blockNetwork: true` and an image of its own",
    });
  },
};

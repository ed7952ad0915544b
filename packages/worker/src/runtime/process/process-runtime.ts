/**
 * The runtime `process`: a function is a process of the host with the host's Python, in a folder of its own. For
 * development: nothing is isolated and no limit is enforced, and what a function writes outside its home stays.
 */
import { constants, cp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { hasCode, namesIn, PlatformError, textOf } from "@lydian/kit";

import type { ProcessEnd } from "../../container/exit.ts";
import type { DoorSocket } from "../../container/door-socket.ts";
import { type ContainerPlace, containersFolder, doorsFolder } from "../../container/folder.ts";
import type { Interpreters } from "../../runners/interpreters.ts";
import type { Adoption, ContainerProcess, Layout, LayRequest, ProcessSpec, Runtime } from "../runtime.ts";
import { type KeeperRecord, readEnd, readKeeperRecord, startKeeper, watchKeeper } from "./keeper.ts";
import { isRunning, signalProcess } from "./process-identity.ts";
import { killByEnvironment } from "./sweep.ts";

/** What a container's environment says about whose it is; the runner sets both and nothing overrides them. */
const taskVariable = "MODAL_TASK_ID";
const doorVariable = "MODAL_SERVER_URL";

export class ProcessRuntime implements Runtime {
  readonly name = "process";
  readonly isolates = false;
  readonly ownNetwork = false;
  readonly limits = false;
  readonly #data: string;
  readonly #interpreters: Interpreters;

  constructor(options: { data: string; interpreters: Interpreters }) {
    this.#data = options.data;
    this.#interpreters = options.interpreters;
  }

  async lay(place: ContainerPlace, { image }: Pick<LayRequest, "image">): Promise<Layout> {
    const home = join(place.folder, "root");
    await mkdir(home, { recursive: true, mode: 0o700 });
    const { config, environment } = image;
    if (environment !== undefined) {
      await writeFile(imageFile(place), environment.id, { mode: 0o600 });
      await copyHome(environment.files, home);
    }
    const { workdir, env } = config;
    return {
      home,
      environment: { ...hostEnvironment(), ...env },
      ...(workdir !== "/" && { workdir: await madeFolder(join(home, workdir.slice("/root".length))) }),
      serverUrl: `unix:${place.doorFile}`,
      hostPath: (containerPath) => hostPath(home, containerPath),
      async addFile(name, bytes) {
        const file = join(place.folder, name);
        await writeFile(file, bytes, { mode: 0o600 });
        return file;
      },
      async addFolder(name, hostFolder) {
        const link = join(place.folder, name);
        await mkdir(dirname(link), { recursive: true, mode: 0o700 });
        await rm(link, { force: true }); // of a try before
        await symlink(hostFolder, link);
        return link;
      },
      python: async (minor) => environment?.program ?? (await this.#interpreters.find(minor)).program,
    };
  }

  async start(place: ContainerPlace, spec: ProcessSpec, door?: DoorSocket): Promise<ContainerProcess> {
    if (spec.terminal !== undefined) {
      throw new PlatformError(`the runtime "${this.name}" gives functions no terminal`, {
        hint: "run the platform with --runtime runc, or the app without -i",
      });
    }
    await startKeeper((await this.#interpreters.any()).program, place, spec, door);
    const record = await readKeeperRecord(place);
    if (record === undefined) throw new Error(`the keeper of ${place.id} left no record`);
    return this.#watch(place, record);
  }

  /** Nothing is limited. */
  async ready(): Promise<void> {}

  async adopt(place: ContainerPlace): Promise<Adoption> {
    const record = await readKeeperRecord(place);
    if (record === undefined) return { state: "neverStarted" };
    if (isRunning(record.keeper)) return { state: "running", process: this.#watch(place, record) };
    return { state: "ended", end: await this.#end(place, record) };
  }

  async clear(place: ContainerPlace): Promise<void> {
    const record = await readKeeperRecord(place);
    if (record !== undefined) {
      signalProcess(record.main, "SIGKILL", "group");
      signalProcess(record.keeper, "SIGKILL", "process");
      // A keeper that ended by itself has ended all descendants before; no other process need be looked at.
      if (record.contained && (await readEnd(place)) !== undefined) return;
    }
    const door = `unix:${place.doorFile}`;
    await killByEnvironment((env) => env.get(taskVariable) === place.id && env.get(doorVariable) === door);
  }

  async clearOthers(known: readonly ContainerPlace[]): Promise<void> {
    const ids = new Set(known.map(({ id }) => id));
    const ours = `unix:${doorsFolder(this.#data)}/`; // other workers of this user have other data folders
    await killByEnvironment((env) => {
      return env.get(doorVariable)?.startsWith(ours) === true && !ids.has(env.get(taskVariable) ?? "");
    });
  }

  #watch(place: ContainerPlace, record: KeeperRecord): ContainerProcess {
    const ended = Promise.withResolvers<ProcessEnd>();
    const watcher = watchKeeper(place, () => {
      watcher.close();
      this.#end(place, record).then(ended.resolve, (error: unknown) => {
        ended.resolve({ reason: "lost", message: `how it ended cannot be read: ${String(error)}` });
      });
    });
    return {
      end: ended.promise,
      signal: (name) => signalProcess(record.main, name, "group"),
      release: () => watcher.close(),
    };
  }

  /** Of a container whose keeper is gone. */
  async #end(place: ContainerPlace, record: KeeperRecord): Promise<ProcessEnd> {
    const end = await readEnd(place);
    if (end !== undefined) return end;
    signalProcess(record.main, "SIGKILL", "group");
    return {
      reason: "lost",
      message: "the process that kept it was killed or the host was restarted; how the function ended is unknown",
    };
  }
}

const imageFile = ({ folder }: Pick<ContainerPlace, "folder">): string => join(folder, "image");

/** The images of all containers that there are, also of those that a worker before has started. */
export async function imagesInUse(data: string): Promise<ReadonlySet<string>> {
  const parent = containersFolder(data);
  const ids = (await namesIn(parent)).map(async (name) => await textOf(imageFile({ folder: join(parent, name) })));
  return new Set((await Promise.all(ids)).filter((id) => id !== undefined));
}

/** What the image has below /root; copies, for a function may write to what it finds. */
async function copyHome(files: string, home: string): Promise<void> {
  try {
    await cp(join(files, "root"), home, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error; // it has nothing there
  }
}

async function madeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  return path;
}

/** What a function may know of the worker's own environment. */
function hostEnvironment(): Record<string, string> {
  const { PATH = "/usr/local/bin:/usr/bin:/bin", LANG = "C.UTF-8", TZ } = process.env;
  return { PATH, LANG, ...(TZ !== undefined && { TZ }) };
}

/** /root is the container's home; there is no other place that is the container's own. */
function hostPath(home: string, containerPath: string): string {
  if (containerPath.startsWith("/root/")) return join(home, containerPath.slice("/root/".length));
  throw new PlatformError(`${containerPath} cannot be laid out: the runtime "process" has no file system of its own`, {
    hint: 'mount it below /root, as with remote_path="/root/data", or use a runtime that isolates',
  });
}

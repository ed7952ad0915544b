/** File trees that outlive containers, and are shared by them. */
import { FileEntry_FileType as FileType, ModalClient, ObjectCreationType, VolumeFsVersion } from "@lydian/contract";

import { Client } from "../client/client.ts";
import { InvalidError } from "../errors.ts";
import { Named } from "./named.ts";
import { Found, type NameOptions, type Place } from "./place.ts";
import { piecesOf, VolumeBatch, VolumeFile } from "./volume-files.ts";

/** How a volume is found, or made. */
export interface VolumeOptions extends NameOptions {
  /** Makes an empty one where there is none of the name; otherwise that is a NotFoundError. */
  createIfMissing?: boolean;
  /** Which family of requests clients use for it; an existing one has its own. */
  version?: 1 | 2;
}

/** A file or a folder of a volume. */
export interface VolumeEntry {
  /** From the volume's root. */
  readonly path: string;
  /** What it is. */
  readonly kind: "file" | "folder" | "link" | "other";
  /** Bytes. */
  readonly size: number;
  /** When its content was written last. */
  readonly modifiedAt: Date;
}

const versions = { 1: VolumeFsVersion.V1, 2: VolumeFsVersion.V2 } as const;
const kinds: Readonly<Partial<Record<FileType, VolumeEntry["kind"]>>> = {
  [FileType.FILE]: "file",
  [FileType.DIRECTORY]: "folder",
  [FileType.SYMLINK]: "link",
};

/** Requests of a commit or a reload wait for the container's processes to stand still, and for what is new to travel. */
const actTimeoutMs = 11 * 60_000;

/** Files that containers mount and that outlive them. What a container writes others see once it is committed, and they have reloaded. */
export class Volume {
  readonly #found: Found;
  readonly #options: NameOptions;
  /** @internal */
  readonly isReadOnly: boolean;

  private constructor(found: Found, options: NameOptions, isReadOnly = false) {
    this.#found = found;
    this.#options = options;
    this.isReadOnly = isReadOnly;
  }

  /** The volume of this name. It is looked up, or made, when it is first used. */
  static fromName(name: string, options: VolumeOptions = {}): Volume {
    const { createIfMissing = false, version } = options;
    const find = async ({ client, environment }: Place): Promise<string> => {
      const reply = await client.ask(ModalClient.method.volumeGetOrCreate, {
        deploymentName: name,
        environmentName: options.environment ?? environment,
        objectCreationType: createIfMissing ? ObjectCreationType.CREATE_IF_MISSING : ObjectCreationType.UNSPECIFIED,
        ...(version !== undefined && { version: versions[version] }),
      });
      const stored = reply.metadata?.version ?? reply.version;
      if (version !== undefined && stored !== versions[version]) {
        throw new InvalidError(
          `volume ${JSON.stringify(name)} is of version ${stored}, and version ${version} was asked for`,
        );
      }
      return reply.volumeId;
    };
    return new Volume(new Found(find), options);
  }

  /** One without a name: `await using` it, and it is gone at the end. */
  static async ephemeral(options: NameOptions & { version?: 1 | 2 } = {}): Promise<Volume & AsyncDisposable> {
    const { version } = options;
    const { named, end } = await Named.ephemeral(
      options,
      async (client, request) => {
        const asked = { ...request, ...(version !== undefined && { version: versions[version] }) };
        return (await client.ask(ModalClient.method.volumeGetOrCreate, asked)).volumeId;
      },
      (client, volumeId) => client.ask(ModalClient.method.volumeHeartbeat, { volumeId }),
    );
    const { client, id } = await named.here();
    const volume = new Volume(new Found(() => Promise.resolve(id)), { ...options, client });
    return Object.assign(volume, { [Symbol.asyncDispose]: async () => end() });
  }

  /** Deletes the one of this name, with all files in it. */
  static async delete(name: string, options: NameOptions = {}): Promise<void> {
    const { client, volumeId } = await Volume.fromName(name, options).#here();
    await client.ask(ModalClient.method.volumeDelete, { volumeId });
  }

  /** The same, mounted so that nothing can be written. */
  readOnly(): Volume {
    return new Volume(this.#found, this.#options, true);
  }

  /** Publishes what this container has written, so that others see it. The platform does it every few seconds, too. */
  async commit(): Promise<void> {
    const { client, volumeId } = await this.#here();
    await client.ask(ModalClient.method.volumeCommit, { volumeId }, { timeoutMs: actTimeoutMs });
  }

  /** Shows this container what others have committed. A ConflictError while files of it are open. */
  async reload(): Promise<void> {
    const { client, volumeId } = await this.#here();
    await client.ask(ModalClient.method.volumeReload, { volumeId }, { timeoutMs: actTimeoutMs });
  }

  /** What a folder has in it, as it was last committed; `recursive`: below it as well. */
  async listdir(path = "/", { recursive = false }: { recursive?: boolean } = {}): Promise<VolumeEntry[]> {
    const entries: VolumeEntry[] = [];
    for await (const entry of this.iterdir(path, { recursive })) entries.push(entry);
    return entries;
  }

  /** As `listdir`, entry by entry. */
  async *iterdir(path = "/", { recursive = false }: { recursive?: boolean } = {}): AsyncGenerator<VolumeEntry, void> {
    const { client, volumeId } = await this.#here();
    for await (const page of client.follow(ModalClient.method.volumeListFiles2, { volumeId, path, recursive })) {
      for (const { path: each, type, size, mtime } of page.entries) {
        const modifiedAt = new Date(Number(mtime) * 1000);
        yield { path: each, kind: kinds[type] ?? "other", size: Number(size), modifiedAt };
      }
    }
  }

  /** A file as it was last committed: `await volume.readFile("a.txt").text()`, `.bytes()`, or `for await` its pieces. */
  readFile(path: string): VolumeFile {
    const here = (): Promise<{ client: Client; volumeId: string }> => this.#here();
    return new VolumeFile(async function* () {
      const { client, volumeId } = await here();
      yield* piecesOf(client, volumeId, path);
    });
  }

  /**
   * Puts files of this machine into the volume, all of them or none: `batchUpload((batch) => { batch.putFile("a.txt", "/a.txt");
   * batch.putDirectory("data", "/data"); })`. Files that are there are an AlreadyExistsError, but for `force`.
   */
  async batchUpload(
    fill: (batch: VolumeBatch) => void | Promise<void>,
    { force = false }: { force?: boolean } = {},
  ): Promise<void> {
    const batch = new VolumeBatch();
    await fill(batch);
    const { client, volumeId } = await this.#here();
    await batch.send(client, volumeId, force);
  }

  /** Removes a file, or with `recursive` a folder with all that is in it. A NotFoundError where there is none. */
  async removeFile(path: string, { recursive = false }: { recursive?: boolean } = {}): Promise<void> {
    const { client, volumeId } = await this.#here();
    await client.ask(ModalClient.method.volumeRemoveFile2, { volumeId, path, recursive });
  }

  /** Within the volume; `to` is a folder for several. */
  async copyFiles(paths: string[], to: string, { recursive = false }: { recursive?: boolean } = {}): Promise<void> {
    const { client, volumeId } = await this.#here();
    await client.ask(ModalClient.method.volumeCopyFiles2, { volumeId, srcPaths: paths, dstPath: to, recursive });
  }

  /** @internal */
  id(place: Place): Promise<string> {
    return this.#found.id({ ...place, client: this.#options.client ?? place.client });
  }

  async #here(): Promise<{ client: Client; volumeId: string }> {
    const client = this.#options.client ?? Client.usual();
    return { client, volumeId: await this.id({ client, environment: client.environment }) };
  }
}

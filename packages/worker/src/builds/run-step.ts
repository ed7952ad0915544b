/** RUN: a command in a container on the image so far, whose upper becomes the next layer, by a rename. */
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type * as wire from "@lydian/contract/worker";
import { PlatformError } from "@lydian/kit";

import { describeEnd, type ProcessEnd } from "../container/exit.ts";
import type { ContainerPlace } from "../container/folder.ts";
import { type ImageConfig, imageSources, MountPoints, type PackageSettings, settingsFor } from "../images/index.ts";
import type { Account, DoorHandler, Layout, LayRequest, ProcessSpec, Resources } from "../runtime/runtime.ts";
import { ownFolders } from "../runtime/runc/runc-layout.ts";
import type { Stack, StepCustomer, StepHost } from "./step-host.ts";

export interface RunRequest {
  readonly stack: Stack;
  readonly config: ImageConfig;
  readonly argv: ProcessSpec["argv"];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly account: Account;
  readonly volumes?: readonly wire.VolumeMount[];
}

/** What a step's container is like. */
export interface StepContainer {
  readonly stack: Stack;
  readonly config: ImageConfig;
  /** Lies on the stack while the step runs, and is not kept. */
  readonly shown?: Stack;
  /** Where more is mounted than in every container. */
  readonly mountedFolders?: readonly string[];
  readonly resources?: Resources;
  readonly network?: LayRequest["network"];
  /** Nothing in them is a part of what the step leaves. */
  readonly volumes?: readonly wire.VolumeMount[];
  /** Absent: it does not see the platform. */
  readonly door?: { readonly file: string; readonly admit: DoorHandler };
}

/** What is to run in it, when its files can be laid out. Its environment wins over the host's settings for packages. */
export type StepProgram = (place: ContainerPlace, layout: Layout) => Promise<ProcessSpec>;

/** Where every container has something mounted. */
const everyFolder = ["/proc", "/dev", "/sys", "/run/lydian"];
const everyFile = ["/run/lydian/init", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname"];

/** A step that was ended by its limits, or failed. */
export class StepError extends PlatformError {
  readonly end: ProcessEnd;

  constructor(message: string, end: ProcessEnd) {
    super(message);
    this.end = end;
  }
}

/**
 * Runs it to its end; throws a StepError when that is not success. What it wrote is then `scratch/root/u`. Host settings for
 * packages (proxies, indexes, certificates) are there while it runs; nothing of them is in what it leaves.
 */
export async function runCommand(
  { argv, env, cwd, account: user, ...container }: RunRequest,
  scratch: string,
  host: StepHost,
  customer: StepCustomer,
): Promise<void> {
  await runProgram(container, async () => ({ argv, env, cwd, user }), scratch, host, customer);
}

/** As above, for whatever a container can be. */
export async function runProgram(
  container: StepContainer,
  program: StepProgram,
  scratch: string,
  host: StepHost,
  customer: StepCustomer,
): Promise<void> {
  const { runtime } = host;
  const { stack, config, shown = [], door, resources = host.resources, network } = container;
  const { signal } = customer;
  const lost: string[] = [];
  const settings = settingsFor(await host.settings(), await imageSources(stack));
  const place = await placeOf(customer, door?.file);
  try {
    const points = join(scratch, "points");
    await mkdir(points, { mode: 0o755 });
    const build = {
      work: join(scratch, "root"),
      shown: [{ id: "points", diff: points }, ...shown],
      binds: await bindsOf(settings, points, container, join(scratch, "settings")),
      hasDoor: door !== undefined,
    };
    const admit: DoorHandler = door?.admit ?? ((inside) => void inside.destroy());
    const image = { layers: stack, config };
    const mount = await volumesOf(place, container, host, customer);
    const layout = await runtime.lay(place, { image, build, resources, network, mount, door: admit, signal });
    const { env, ...process } = await program(place, layout);
    const running = await runtime.start(place, { ...process, env: { ...settings.environment, ...env } });
    await runtime.ready(place); // its limits hold from the beginning
    const stop = (): void => running.signal("SIGKILL");
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const end = await running.end;
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
    if (end.reason !== "exited" || end.code !== 0) throw new StepError(`the command ${describeEnd(end)}`, end);
  } finally {
    await runtime.clear(place);
    await host.volumes?.finish(place, (line) => void lost.push(line));
    await rm(place.folder, { recursive: true, force: true });
    for (const line of lost) customer.say(line);
  }
  // With its layer, nobody would run it again.
  if (lost.length > 0) throw new PlatformError("what the step wrote to its volumes could not be committed");
}

async function volumesOf(
  place: ContainerPlace,
  { volumes = [] }: StepContainer,
  host: StepHost,
  { mounts }: StepCustomer,
): Promise<LayRequest["mount"]> {
  if (volumes.length === 0) return undefined;
  if (host.volumes === undefined) throw new PlatformError("no step can mount volumes here");
  mounts(place.id);
  return await host.volumes.prepare(place, volumes);
}

/** As a layer's `fill`. */
export async function fillByRunning(
  request: RunRequest,
  [diff, scratch]: readonly [diff: string, scratch: string],
  host: StepHost,
  customer: StepCustomer,
): Promise<void> {
  await runCommand(request, scratch, host, customer);
  await rename(upperOf(scratch), diff);
}

/** Where what a step wrote is, once it has ended. */
export function upperOf(scratch: string): string {
  return join(scratch, "root", "u");
}

async function placeOf({ newId, folder, logFile }: StepCustomer, door: string | undefined): Promise<ContainerPlace> {
  const id = newId();
  const own = join(folder, id);
  const place = { id, hostId: id, folder: own, logFile, doorFile: door ?? join(own, "door", "s") };
  await mkdir(place.folder, { recursive: true, mode: 0o700 });
  await (await open(logFile, "a", 0o600)).close();
  return place;
}

async function bindsOf(
  { binds, files }: Pick<PackageSettings, "binds" | "files">,
  points: string,
  { stack, shown = [], mountedFolders = [], volumes = [], door }: StepContainer,
  settings: string,
): Promise<{ source: string; path: string }[]> {
  const made = new MountPoints(
    points,
    [...shown, ...stack].map(({ diff }) => diff),
  );
  const doorFolders = door === undefined ? [] : Object.values(ownFolders);
  const folders = [...everyFolder, ...mountedFolders, ...doorFolders, ...volumes.map(({ path }) => path)];
  for (const path of folders) made.make(path, "folder");
  for (const path of everyFile) made.make(path, "file");
  const all: { source: string; path: string }[] = [];
  for (const { source, path } of binds) {
    if (path === "/etc/resolv.conf") continue; // a container's own
    all.push({ source, path: made.makeLike(source, path) });
  }
  await mkdir(settings, { mode: 0o755 });
  for (const [index, { path, text }] of files.entries()) {
    const source = join(settings, String(index));
    await writeFile(source, text, { mode: 0o644 });
    all.push({ source, path: made.make(path, "file") });
  }
  return all;
}

/** RUN: a command in a container on the image so far, whose upper becomes the next layer, by a rename. */
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

import { describeEnd, type ProcessEnd } from "../container/exit.ts";
import type { ContainerPlace } from "../container/folder.ts";
import { type ImageConfig, MountPoints, type PackageSettings } from "../images/index.ts";
import type { Account, ProcessSpec } from "../runtime/runtime.ts";
import type { Stack, StepCustomer, StepHost } from "./step-host.ts";

export interface RunRequest {
  readonly stack: Stack;
  readonly config: ImageConfig;
  readonly argv: ProcessSpec["argv"];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly account: Account;
}

/** Where every container has something mounted. */
const mountedFolders = ["/proc", "/dev", "/sys", "/run/lydian"];
const mountedFiles = ["/run/lydian/init", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname"];

/** A step that was ended by its limits, or failed. */
export class StepError extends PlatformError {
  readonly end: ProcessEnd;

  constructor(message: string, end: ProcessEnd) {
    super(message);
    this.end = end;
  }
}

/**
 * Runs it to its end; throws a StepError when that is not success. What it wrote is then `scratch/u`. Host settings for
 * packages (proxies, indexes, certificates) are there while it runs; nothing of them is in what it leaves.
 */
export async function runCommand(
  request: RunRequest,
  scratch: string,
  host: StepHost,
  customer: StepCustomer,
): Promise<void> {
  const { runtime, resources } = host;
  const { stack, config, argv, env, cwd, account } = request;
  const { signal } = customer;
  const settings = await host.settings();
  const place = await placeOf(customer);
  try {
    const points = join(scratch, "points");
    await mkdir(points, { mode: 0o755 });
    const build = {
      work: join(scratch, "root"),
      points: { id: "points", diff: points },
      binds: await bindsOf(settings, points, stack, join(scratch, "settings")),
    };
    const door = (inside: { destroy(): unknown }): void => void inside.destroy();
    await runtime.lay(place, { image: { layers: stack, config }, build, resources, door, signal });
    const process = await runtime.start(place, { argv, cwd, user: account, env: { ...settings.environment, ...env } });
    const stop = (): void => process.signal("SIGKILL");
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const end = await process.end;
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
    if (end.reason !== "exited" || end.code !== 0) throw new StepError(describeEnd(end), end);
  } finally {
    await runtime.clear(place);
    await rm(place.folder, { recursive: true, force: true });
  }
}

/** As a layer's `fill`. */
export async function fillByRunning(
  request: RunRequest,
  [diff, scratch]: readonly [diff: string, scratch: string],
  host: StepHost,
  customer: StepCustomer,
): Promise<void> {
  await runCommand(request, scratch, host, customer);
  await rename(join(scratch, "root", "u"), diff);
}

async function placeOf({ newId, folder, logFile }: StepCustomer): Promise<ContainerPlace> {
  const id = newId();
  const place = { id, hostId: id, folder: join(folder, id), logFile, doorFile: join(folder, id, "door", "s") };
  await mkdir(place.folder, { recursive: true, mode: 0o700 });
  await (await open(logFile, "a", 0o600)).close();
  return place;
}

async function bindsOf(
  { binds, files }: PackageSettings,
  points: string,
  stack: Stack,
  settings: string,
): Promise<{ source: string; path: string }[]> {
  const made = new MountPoints(
    points,
    stack.map(({ diff }) => diff),
  );
  for (const path of mountedFolders) await made.make(path, "folder");
  for (const path of mountedFiles) await made.make(path, "file");
  const all: { source: string; path: string }[] = [];
  for (const { source, path } of binds) {
    if (path === "/etc/resolv.conf") continue; // a container's own
    all.push({ source, path: await made.makeLike(source, path) });
  }
  await mkdir(settings, { mode: 0o755 });
  for (const [index, { path, text }] of files.entries()) {
    const source = join(settings, String(index));
    await writeFile(source, text, { mode: 0o644 });
    all.push({ source, path: await made.make(path, "file") });
  }
  return all;
}

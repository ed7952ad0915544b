/** The runtime `runc` with its real parts, for tests: a platform's worth of names on this host, and what is left of them. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before } from "node:test";

import { createLogger, systemClock } from "@lydian/kit";
import { hostTraces, until } from "@lydian/testkit";

import { Cgroups } from "@lydian/worker/src/cgroups/cgroups";
import type { ProcessEnd } from "@lydian/worker/src/container/exit";
import { type ContainerPlace, containerPlace } from "@lydian/worker/src/container/folder";
import { diskGauge } from "@lydian/worker/src/disk/disk-gauge";
import { DiskGuard } from "@lydian/worker/src/disk/disk-guard";
import { findProgram } from "@lydian/worker/src/host/programs";
import { type LayerStore, Mounter } from "@lydian/worker/src/layers/index";
import { NetworkPool } from "@lydian/worker/src/network/network-pool";
import type { OciSpec } from "@lydian/worker/src/runtime/runc/oci-spec";
import { RuncRuntime } from "@lydian/worker/src/runtime/runc/runc-runtime";
import type { ContainerProcess, DoorHandler, Layout, Resources, RootImage } from "@lydian/worker/src/runtime/runtime";
import { debian, openTestLayers, testLayers } from "./debian-layer.ts";

export const needsContainers = await containersLack();

async function containersLack(): Promise<{ skip?: string }> {
  if (process.getuid?.() !== 0) return { skip: "containers need root" };
  for (const program of ["runc", "conmon", "tini-static", "mmdebstrap", "nft"]) {
    if ((await findProgram(program)) === undefined) return { skip: `${program} is not installed` };
  }
  return {};
}

/** What the parts of a platform on this host are known by. */
export interface RigIdentity {
  readonly data: string;
  readonly instance: string;
}

interface Guards {
  amend: (spec: OciSpec) => OciSpec;
}

interface RigOptions {
  userns?: boolean;
  runc?: string;
  /** Has the tests' Debian, or it is made there. */
  layers?: LayerStore;
}

export class Rig {
  readonly identity: RigIdentity;
  readonly runtime: RuncRuntime;
  readonly cgroups: Cgroups;
  readonly network: NetworkPool;
  readonly layers: LayerStore;
  readonly mounter: Mounter;
  /** What comes through the loopback listeners; tests may change it. */
  door: DoorHandler = (inside) => inside.end("through the loopback door\n");
  /** Takes guards away; tests may change it. */
  readonly guards: Guards;
  readonly image: RootImage;
  #count = 0;

  private constructor(
    parts: Pick<Rig, "identity" | "runtime" | "cgroups" | "network" | "layers" | "guards" | "image">,
    mounter: Mounter,
  ) {
    this.identity = parts.identity;
    this.runtime = parts.runtime;
    this.cgroups = parts.cgroups;
    this.network = parts.network;
    this.layers = parts.layers;
    this.guards = parts.guards;
    this.image = parts.image;
    this.mounter = mounter;
  }

  static async open(identity: RigIdentity, options: RigOptions = {}): Promise<Rig> {
    const clock = systemClock;
    const logger = createLogger("test", "warn");
    const layers = options.layers ?? (await openTestLayers());
    const image = await debian(layers);
    const [mounter, cgroups] = await Promise.all([Mounter.start(), Cgroups.detect()]);
    const network = await NetworkPool.open({
      instance: identity.instance,
      folder: `/run/lydian/${identity.instance}/network`,
      size: 2,
      userns: options.userns ?? true,
      ...{ logger, clock },
    });
    const trash = join(identity.data, "trash");
    await mkdir(trash, { recursive: true });
    const disk = new DiskGuard({ gauge: diskGauge(identity.data), trash, clock, logger });
    const guards: Guards = { amend: (spec) => spec };
    const runtime = new RuncRuntime({
      ...identity,
      programs: {
        conmon: (await findProgram("conmon")) ?? "",
        runc: options.runc ?? (await findProgram("runc")) ?? "",
      },
      init: (await findProgram("tini-static")) ?? "",
      ...{ layers, mounter, network, cgroups, disk, clock, logger },
      amend: (spec) => guards.amend(spec),
    });
    const config = { env: { PATH: "/usr/local/bin:/usr/bin:/bin" }, workdir: "/", user: "root" };
    return new Rig(
      { identity, runtime, cgroups, network, layers, guards, image: { layers: [image], config } },
      mounter,
    );
  }

  /** A container's place with its door, as container/ makes it. */
  async place(id = `ta-TEST${String(++this.#count).padStart(4, "0")}`): Promise<ContainerPlace> {
    const place = containerPlace(this.identity.data, id);
    await mkdir(place.folder, { recursive: true, mode: 0o700 });
    await (await open(place.logFile, "a", 0o600)).close();
    await mkdir(dirname(place.doorFile), { recursive: true, mode: 0o711 });
    return place;
  }

  lay(place: ContainerPlace, resources: Resources = {}): Promise<Layout> {
    return this.runtime.lay(place, {
      image: this.image,
      resources,
      door: (inside) => this.door(inside),
      signal: AbortSignal.timeout(60_000),
    });
  }

  /** Starts a shell script. */
  start(place: ContainerPlace, script: string, env: Record<string, string> = {}): Promise<ContainerProcess> {
    return this.runtime.start(place, {
      argv: ["/bin/sh", "-c", script],
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", ...env },
      cwd: "/root",
    });
  }

  /** What the container has said on stdout. */
  async output(place: ContainerPlace): Promise<string> {
    return outputOf(await readFile(place.logFile, "utf8"));
  }

  /** Resolves when the container has said exactly this on stdout. */
  async said(place: ContainerPlace, text: string): Promise<void> {
    await until(
      10_000,
      async () => (await this.output(place)) === text,
      () => `${place.id} does not say ${JSON.stringify(text)}`,
    );
  }

  /** From nothing to the end of a script and back to nothing. */
  async run(script: string, resources: Resources = {}): Promise<{ end: ProcessEnd; log: string; output: string }> {
    const place = await this.place();
    try {
      await this.lay(place, resources);
      const process = await this.start(place, script);
      const end = await process.end;
      const log = await readFile(place.logFile, "utf8");
      return { end, log, output: outputOf(log) };
    } finally {
      await this.runtime.clear(place);
    }
  }

  /** Ends this worker's side; containers go on. */
  async leave(): Promise<void> {
    await this.network.close({ remove: false });
    await this.mounter.close();
  }

  /** As a platform stops. */
  async close(): Promise<void> {
    await this.runtime.clearOthers([]);
    await this.network.close({ remove: true });
    await this.runtime.close();
    await this.mounter.close();
  }
}

/** What a stream said, from a log's records. */
export function outputOf(log: string, stream = "stdout"): string {
  const texts = log.split("\n").map((record) => {
    const [, name = "", tag = "", text = ""] = /^\S+ (\S+) ([FP]) (.*)$/s.exec(record) ?? [];
    return name === stream ? `${text}${tag === "F" ? "\n" : ""}` : "";
  });
  return texts.join("");
}

/** A rig for the tests of a file or of a group; after them nothing of it may be left. */
export function sharedRig(options: { userns?: boolean } = {}): { readonly rig: Rig } {
  const shared: { rig: Rig } = { rig: undefined as unknown as Rig };
  if (needsContainers.skip !== undefined) return shared;
  before(async () => {
    shared.rig = await Rig.open(await newIdentity(), options);
  });
  after(async () => {
    await shared.rig.close();
    await nothingIsLeft(shared.rig.identity);
  });
  return shared;
}

/** `name`: how its data folder's begins. */
export async function newIdentity(name = "lydian-runc-"): Promise<RigIdentity> {
  return {
    data: await mkdtemp(join(tmpdir(), name)),
    instance: `t${randomBytes(3).toString("hex")}`,
  };
}

/** What is left of it on the host. */
export const remainsOf = (identity: RigIdentity): Promise<string[]> => hostTraces({ ...identity, layers: testLayers });

/** The end of every test: fails when anything is left, but for the data folder, which it removes. */
export async function nothingIsLeft(identity: RigIdentity): Promise<void> {
  const left = await remainsOf(identity);
  if (left.length > 0) throw new Error(`left over:\n${left.join("\n")}`);
  await rm(identity.data, { recursive: true });
}

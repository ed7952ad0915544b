/**
 * Containers that write, remove, rename, hold files open, commit and reload at random, while their worker dies and the
 * server refuses what it is told, see what a simple model says: maps of paths, in which the last commit wins path by path
 * and nobody takes away what he has never seen.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { hasCode, messageOf } from "@lydian/kit";
import { usualOwedFrom } from "@lydian/worker/src/volumes/owed-commits";
import { RefusedError, type VolumeServer } from "@lydian/worker/src/volumes/volume-server";
import { type Random, seededRandom } from "@lydian/testkit";

import { Death, dying } from "./dying.ts";
import { needsRoot, type TestContainer, VolumeRig } from "./support.ts";

type Files = Map<string, string>;

const sorted = (files: Files): [string, string][] => [...files].toSorted(([a], [b]) => (a < b ? -1 : 1));

/** What is mounted somewhere. */
function filesIn(folder: string, path = ""): Files {
  const files: Files = new Map();
  for (const name of readdirSync(join(folder, path))) {
    const inner = path === "" ? name : `${path}/${name}`;
    if (lstatSync(join(folder, inner)).isDirectory()) for (const each of filesIn(folder, inner)) files.set(...each);
    else files.set(inner, readFileSync(join(folder, inner), "utf8"));
  }
  return files;
}

/** A container, and what it must see. */
interface Actor {
  container: TestContainer;
  view: Files;
  /** As of its last commit or reload. */
  base: Files;
  /** Of a file that it has open. */
  held: number | undefined;
}

class Model {
  readonly #random: Random;
  readonly #rig: VolumeRig;
  readonly actors: Actor[] = [];
  readonly log: string[] = [];
  head: Files = new Map();
  #count = 0;

  constructor(rig: VolumeRig, random: Random) {
    this.#rig = rig;
    this.#random = random;
  }

  async step(): Promise<void> {
    const random = this.#random;
    if (this.actors.length < 3) {
      const container = await this.#rig.begin();
      this.actors.push({ container, view: new Map(this.head), base: new Map(this.head), held: undefined });
    }
    const actor = random.pick(this.actors) ?? assert.fail();
    const act = random.pick(acts) ?? assert.fail();
    const [path, other] = [this.#path(), this.#path()];
    this.log.push(`${actor.container.id} ${act} ${path} ${other}`);
    try {
      await this.#does(actor, act, path, other);
    } catch (error) {
      if (!hasCode(error, "ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY")) throw error;
    }
    this.check(actor);
    if (act === "commit" || act === "reload") {
      assert.deepEqual(await this.#rig.files(), [...this.head.keys()].toSorted(), this.log.slice(-30).join("\n"));
    }
  }

  check({ container, view }: Actor): void {
    assert.deepEqual(sorted(filesIn(container.data)), sorted(view), this.log.slice(-30).join("\n"));
  }

  async #does(actor: Actor, act: (typeof acts)[number], path: string, other: string): Promise<void> {
    const { container, view } = actor;
    const file = join(container.data, path);
    switch (act) {
      case "write":
      case "append": {
        mkdirSync(dirname(file), { recursive: true });
        const text = `${++this.#count},`;
        (act === "write" ? writeFileSync : appendFileSync)(file, text);
        view.set(path, act === "write" ? text : (view.get(path) ?? "") + text);
        return;
      }
      case "remove":
        if (view.delete(path)) rmSync(file);
        return;
      case "removeFolder":
      case "remake":
        if (!existsSync(file) || !lstatSync(file).isDirectory()) return;
        rmSync(file, { recursive: true });
        for (const each of view.keys()) if (each.startsWith(`${path}/`)) view.delete(each);
        if (act === "removeFolder") return;
        mkdirSync(file);
        writeFileSync(join(file, "a"), `${++this.#count},`);
        view.set(`${path}/a`, `${this.#count},`);
        return;
      case "rename": {
        const target = join(container.data, other);
        if (path === other || !existsSync(file) || other.startsWith(`${path}/`)) return;
        if (lstatSync(file).isDirectory() && existsSync(target)) return;
        mkdirSync(dirname(target), { recursive: true });
        renameSync(file, target);
        for (const [each, text] of [...view]) {
          if (each !== path && !each.startsWith(`${path}/`)) continue;
          view.delete(each);
          view.set(other + each.slice(path.length), text);
        }
        return;
      }
      case "commit":
        await container.volume.commit();
        return this.#committed(actor);
      case "reload":
        return await this.#reload(actor);
      case "hold":
        if (actor.held !== undefined) closeSync(actor.held);
        actor.held = undefined;
        if (existsSync(file)) actor.held = openSync(file, "r");
        return;
      case "refused":
        await container.restart({ ...this.#rig.deps, server: refusing(this.#rig.deps.server) });
        if (await isRefused(container.volume.commit())) return;
        await container.restart(); // there was nothing to be refused
        return this.#committed(actor);
      case "dies":
        await this.#dies(actor);
        return await this.#reload(actor);
      case "restart":
        await container.restart();
    }
  }

  async #reload(actor: Actor): Promise<void> {
    const isDone = await unlessInUse(actor.container.volume.reload());
    assert.ok(isDone || actor.held !== undefined);
    this.#committed(actor);
    if (!isDone) return;
    actor.view = new Map(this.head);
    actor.base = new Map(this.head);
  }

  /** In a commit or a reload, before or after something that it does. */
  async #dies({ container }: Actor): Promise<void> {
    const random = this.#random;
    const { deps } = this.#rig;
    const [call, when] = [1 + random.below(3), random.pick(["before", "after"] as const) ?? "after"];
    await container.restart(
      random.below(2) === 0
        ? { ...deps, mounter: dying(deps.mounter, ["swap"], call, when) }
        : { ...deps, server: dying(deps.server, ["commit", "put", "changes"], call, when) },
    );
    try {
      await unlessInUse(random.below(2) === 0 ? container.volume.commit() : container.volume.reload());
    } catch (error) {
      if (!(error instanceof Death)) throw error;
    }
    await container.restart();
  }

  #committed(actor: Actor): void {
    const { base, view } = actor;
    for (const path of base.keys()) if (!view.has(path)) this.head.delete(path);
    for (const [path, text] of view) {
      if (base.get(path) === text) continue;
      for (const each of this.head.keys()) {
        if (each.startsWith(`${path}/`) || path.startsWith(`${each}/`)) this.head.delete(each);
      }
      this.head.set(path, text);
    }
    actor.base = new Map(view);
  }

  #path(): string {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(3) }, () => random.pick(["a", "b", "c"])).join("/");
  }
}

/** A server that does not take the first commit. */
function refusing(server: VolumeServer): VolumeServer {
  let isFull = true;
  return new Proxy(server, {
    get(target, name) {
      if (name === "commit" && isFull) {
        isFull = false;
        return () => Promise.reject(new RefusedError("it is full"));
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Whether it was done. */
async function unlessInUse(act: Promise<void>): Promise<boolean> {
  try {
    await act;
    return true;
  } catch (error) {
    if (/open files/.test(messageOf(error))) return false;
    throw error;
  }
}

async function isRefused(commit: Promise<void>): Promise<boolean> {
  try {
    await commit;
    return false;
  } catch (error) {
    if (error instanceof RefusedError) return true;
    throw error;
  }
}

const acts = [
  ...(["write", "write", "write", "append", "append", "remove", "remove", "removeFolder", "remake"] as const),
  ...(["rename", "rename", "rename", "commit", "commit", "commit", "reload", "reload", "restart"] as const),
  ...(["hold", "refused", "dies"] as const),
];

const seeds = (process.env["LYDIAN_SEEDS"] ?? "1,2,3,4").split(",").map(Number);
const steps = 150;

for (const [i, seed] of seeds.entries()) {
  // Of every second one all commits return before they are made, wherever that may be.
  const owedFrom = i % 2 === 0 ? usualOwedFrom : { bytes: 0, paths: 0 };
  test(`volumes are what the model says (seed ${seed})`, needsRoot, async () => {
    await using rig = await VolumeRig.open({ owedFrom });
    const model = new Model(rig, seededRandom(seed));
    for (let i = 0; i < steps; i++) await model.step();
    for (const actor of model.actors) {
      if (actor.held !== undefined) closeSync(actor.held);
      await actor.container.volume.reload();
      model.log.push(`${actor.container.id} reloads at last`);
    }
    assert.deepEqual(await rig.files(), [...filesIn(model.actors.at(-1)?.container.data ?? "").keys()].toSorted());
  });
}

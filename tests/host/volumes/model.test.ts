/**
 * Containers that write, remove, rename, commit and reload at random, over restarts of their worker, see what a simple
 * model says: maps of paths, in which the last commit wins path by path and nobody takes away what he has never seen.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { hasCode } from "@lydian/kit";
import { type Random, seededRandom } from "@lydian/testkit";

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
      this.actors.push({ container, view: new Map(this.head), base: new Map(this.head) });
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
        await container.volume.reload();
        this.#committed(actor);
        actor.view = new Map(this.head);
        actor.base = new Map(this.head);
        return;
      case "restart":
        await container.restart();
    }
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

const acts = [
  ...(["write", "write", "write", "append", "append", "remove", "remove", "removeFolder", "remake"] as const),
  ...(["rename", "rename", "rename", "commit", "commit", "commit", "reload", "reload", "restart"] as const),
];

const seeds = (process.env["LYDIAN_SEEDS"] ?? "1,2,3,4").split(",").map(Number);
const steps = 150;

for (const seed of seeds) {
  test(`volumes are what the model says (seed ${seed})`, needsRoot, async () => {
    await using rig = await VolumeRig.open();
    const model = new Model(rig, seededRandom(seed));
    for (let i = 0; i < steps; i++) await model.step();
    for (const actor of model.actors) {
      await actor.container.volume.reload();
      model.log.push(`${actor.container.id} reloads at last`);
    }
    assert.deepEqual(await rig.files(), [...filesIn(model.actors.at(-1)?.container.data ?? "").keys()].toSorted());
  });
}

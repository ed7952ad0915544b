/** Makes one image of its recipe: the stages that it needs, step by step, each step a layer that is made once. */
import { join } from "node:path";

import type * as wire from "@lydian/contract/worker";
import { PlatformError } from "@lydian/kit";

import { ImageGoneError } from "../image-gone.ts";
import { type BaseImage, type ImageConfig, layerId, type PackageSettings, standaloneName } from "../images/index.ts";
import type { Layer, LayerLease } from "../layers/index.ts";
import { nodeTools } from "../runners/packaged-node.ts";
import { RootPaths } from "../runtime/runc/root-path.ts";
import { accountFiles, findAccount } from "./accounts.ts";
import { fillByCopying, withRoot } from "./copy-step.ts";
import { type Located, parseDockerfile } from "./dockerfile.ts";
import { fillByFetching } from "./fetch-step.ts";
import { type CopyStep, fold, type RunStep, type State, type Step } from "./fold.ts";
import type { BuiltImage, Images } from "./images.ts";
import { factsOf } from "./probe.ts";
import { fillByCalling, StepTimeout } from "./function-step.ts";
import { fillByRunning, StepError } from "./run-step.ts";
import { type Context, contextOf } from "./context.ts";
import { RootTree, type SourceTree } from "./source-tree.ts";
import { lastNeeded, type Stage, stageNamed, stagesOf } from "./stages.ts";
import { mostLayers, type Stack, type StepCustomer, type StepHost } from "./step-host.ts";
import type { Variables } from "./words.ts";

export interface RecipeHost extends StepHost {
  readonly images: Pick<Images, "find" | "keep" | "pin" | "forget">;
}

export interface RecipeRequest {
  readonly recipe: wire.ImageRecipe;
  /** Goes into the keys of all steps, so that none is taken from before. */
  readonly nonce: string | undefined;
}

/** An image on the way: what a step stands on. */
interface Base {
  readonly stack: Stack;
  readonly config: ImageConfig;
  readonly digest: string;
}

export async function makeImage(
  { recipe, nonce }: RecipeRequest,
  host: RecipeHost,
  customer: StepCustomer,
): Promise<BuiltImage> {
  // Nothing that it stands on or makes is removed before the image is written down.
  await using lease = host.layers.lease();
  let settings: Promise<PackageSettings> | undefined;
  const asFound = (): Promise<PackageSettings> => (settings ??= host.settings()); // a program tells them, at each look
  return await new RecipeBuild(recipe, nonce, { ...host, settings: asFound }, { ...customer, lease }).run();
}

class RecipeBuild {
  readonly #recipe: wire.ImageRecipe;
  readonly #nonce: string | undefined;
  readonly #host: RecipeHost;
  readonly #customer: StepCustomer & { readonly lease: LayerLease };
  readonly #made = new Map<Stage, Base>();
  #context: Promise<Context> | undefined;
  #step = 0;

  constructor(
    recipe: wire.ImageRecipe,
    nonce: string | undefined,
    host: RecipeHost,
    customer: StepCustomer & { readonly lease: LayerLease },
  ) {
    this.#recipe = recipe;
    this.#nonce = nonce;
    this.#host = host;
    this.#customer = customer;
  }

  async run(): Promise<BuiltImage> {
    const { imageId, bases, function: called } = this.#recipe;
    const { made, on } = called === undefined ? await this.#makeStages() : await this.#callFunction(called);
    const below = await this.#host.images.find(bases[on] ?? "");
    const known = below?.facts ?? { python: "", libc: "", mark: "" };
    const facts = await factsOf(made.stack, made.config, known, this.#host, this.#customer);
    const layers = made.stack.length > 0 ? made.stack : [await this.#emptyLayer()];
    const image: BuiltImage = { layers, config: made.config, digest: made.digest, facts };
    await this.#host.images.keep(imageId, image);
    return image;
  }

  /** Answers what it stands on by name, too. */
  async #makeStages(): Promise<{ made: Base; on: string }> {
    const { imageId, lines, buildArgs } = this.#recipe;
    const { stages, args } = stagesOf(parseDockerfile(lines), buildArgs);
    for (const stage of lastNeeded(stages)) this.#made.set(stage, await this.#makeStage(stage, args));
    const last = stages.at(-1);
    const made = last && this.#made.get(last);
    if (last === undefined || made === undefined) throw new Error(`${imageId} has no stage`);
    return { made, on: last.base };
  }

  async #callFunction(called: wire.BuildFunction): Promise<{ made: Base; on: string }> {
    const { bases, secrets, secretsIdentity, volumes } = this.#recipe;
    const [[on, imageId] = ["", ""]] = Object.entries(bases);
    const base = await this.#baseNamed(on);
    const { python = "" } = (await this.#host.images.find(imageId))?.facts ?? {};
    const request = { ...base, python, imageId, called, secrets, volumes };
    const { env, workdir, entrypoint = [] } = base.config; // what the digest does not say
    const made = await this.#makeLayer(base, "function", `run_function ${called.name}`, {
      // Its volumes, for what it does to them is not in a layer that another platform has made.
      key: [called.identity, secretsIdentity, env, workdir, entrypoint, ...volumes.map(volumeKey)],
      fill: (folders) => fillByCalling(request, folders, this.#host, this.#customer),
    });
    return { made, on };
  }

  async #makeStage(stage: Stage, args: Variables): Promise<Base> {
    const from = stage.from === undefined ? undefined : this.#made.get(stage.from);
    let base = from ?? (await this.#baseNamed(stage.base));
    let state: State = { config: base.config, args };
    for (const instruction of stage.instructions) {
      const folded = this.#fold(state, instruction);
      state = folded.state;
      if (folded.step !== undefined) base = await this.#makeStep(base, folded.step, instruction, stage);
      base = { ...base, config: state.config };
    }
    return base;
  }

  #fold(state: State, instruction: Located): ReturnType<typeof fold> {
    try {
      return fold(state, instruction, this.#recipe.buildArgs);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      throw new PlatformError(`Dockerfile line ${instruction.line}: ${error.message}`, { cause: error });
    }
  }

  async #makeStep(base: Base, step: Step, { text }: Located, stage: Stage): Promise<Base> {
    const made = step.kind === "run" ? this.#run(base, step) : await this.#copy(base, step, stage);
    return await this.#makeLayer(base, step.kind, text, made);
  }

  async #makeLayer(base: Base, kind: string, text: string, made: Made): Promise<Base> {
    const { layers } = this.#host;
    const { lease, say, signal } = this.#customer;
    const name = `Step ${++this.#step}: ${text}`;
    if (base.stack.length >= mostLayers) throw tooDeep(`${name}: the image has`, base.stack.length);
    const id = layerId(kind, [base.digest, this.#nonce ?? null, ...made.key]);
    say(`=> ${name}${(await layers.get(id)) === undefined ? "" : " (cached)"}`);
    const layer = await lease.make(id, (...folders) => named(name, made.fill(folders)), signal);
    return { stack: [layer, ...base.stack], config: base.config, digest: id };
  }

  #run({ stack, config }: Base, { argv, env, cwd, user }: RunStep): Made {
    const { secrets, secretsIdentity, volumes } = this.#recipe;
    return {
      key: [argv, env, cwd, user, secretsIdentity, ...volumes.map(volumeKey)],
      fill: async (folders) => {
        const { home, ...account } = await this.#accountIn(stack, user, folders[1]);
        const request = { ...{ stack, config, argv, cwd, account, volumes }, env: { HOME: home, ...env, ...secrets } };
        await fillByRunning(request, folders, this.#host, this.#customer);
      },
    };
  }

  async #accountIn(stack: Stack, user: string, scratch: string): Promise<ReturnType<typeof findAccount>> {
    if (user === "root" || user === "0") return { uid: 0, gid: 0, groups: [], home: "/root" };
    return await withRoot(this.#host, stack, join(scratch, "accounts"), async (paths) =>
      findAccount(user, await accountFiles((path) => paths.realPath(path))),
    );
  }

  async #copy({ stack }: Base, step: CopyStep, stage: Stage): Promise<Made> {
    const { signal } = this.#customer;
    const { isAdd, sources, target, chown, chmod, isFetched, checksum } = step;
    const key = [isAdd, sources, target, chown ?? null, chmod ?? null];
    if (isFetched) {
      const fetch = async (folders: Folders): Promise<void> => {
        const python = await this.#baseNamed(await this.#host.pythonImage());
        await fillByFetching(step, stack, python, folders, this.#host, this.#customer);
      };
      return { key: [...key, checksum ?? null], fill: fetch };
    }
    const fill = (source: SourceTree, folders: Folders): Promise<void> =>
      fillByCopying(step, source, stack, folders, this.#host, signal);
    if (step.from === undefined) {
      const context = await (this.#context ??= this.#openContext());
      return { key: [...key, await context.identity(sources)], fill: (folders) => fill(context.tree, folders) };
    }
    const from = await this.#copiedFrom(step.from, stage);
    return {
      key: [...key, from.digest],
      fill: (folders) =>
        withRoot(this.#host, from.stack, join(folders[1], "from"), (paths) => fill(new RootTree(paths), folders)),
    };
  }

  async #copiedFrom(name: string, stage: Stage): Promise<Base> {
    const from = stageNamed(name, stage);
    return (from && this.#made.get(from)) ?? (await this.#baseNamed(name));
  }

  /** An image of this platform, or one of a registry; its layers are then held. */
  async #baseNamed(name: string): Promise<Base> {
    for (;;) {
      const { layers, config, digest } = await this.#find(name);
      if (layers.length > mostLayers) throw tooDeep(`${name} has`, layers.length);
      if (await this.#customer.lease.hold(layers)) return { stack: layers, config, digest };
    }
  }

  async #find(name: string): Promise<BaseImage> {
    const { recipe, host, customer } = { recipe: this.#recipe, host: this.#host, customer: this.#customer };
    const id = recipe.bases[name];
    if (id !== undefined) {
      const image = await host.images.find(id);
      if (image === undefined) throw new ImageGoneError(`image ${id}, which this one stands on, is not there`);
      return image;
    }
    const { credentials } = recipe;
    return await host.bases.resolve(name, {
      ...(credentials && { credentials: { username: credentials.username, password: credentials.password } }),
      ...(this.#nonce !== undefined && { refresh: true }),
      say: customer.say,
      signal: customer.signal,
    });
  }

  async #openContext(): Promise<Context> {
    const { contextName } = this.#recipe;
    if (contextName === "") return await contextOf(this.#recipe, this.#host.content, this.#customer.signal);
    if (contextName === nodeTools) {
      const { id, diff } = await this.#host.node.tools(this.#customer);
      return { tree: new RootTree(new RootPaths(diff)), identity: async () => [id] };
    }
    const standalone = standaloneName(contextName);
    if (standalone === undefined) throw new PlatformError(`there is no ${contextName} here to copy from`);
    const { id, diff } = await this.#host.bases.standalonePython(standalone, this.#customer);
    return { tree: new RootTree(new RootPaths(diff)), identity: async () => [id] };
  }

  async #emptyLayer(): Promise<Layer> {
    const { lease, signal } = this.#customer;
    return await lease.make("empty", async () => {}, signal);
  }
}

const volumeKey = ({ volumeId, path, readOnly, subPath }: wire.VolumeMount): unknown => [
  volumeId,
  path,
  readOnly,
  subPath,
];

function tooDeep(what: string, layers: number): PlatformError {
  return new PlatformError(`${what} ${layers} layers, and ${mostLayers} are the most that one may have`, {
    hint: "let fewer steps do the same: several commands in one RUN, several packages in one installation",
  });
}

/** A failure says of which step it is. */
async function named(step: string, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (error instanceof StepTimeout) throw new StepTimeout(`${step}: ${error.message}`, error.end);
    if (error instanceof StepError) throw new StepError(`${step}: ${error.message}`, error.end);
    throw error instanceof PlatformError
      ? new PlatformError(`${step}: ${error.message}`, {
          cause: error,
          ...(error.hint !== undefined && { hint: error.hint }),
        })
      : error;
  }
}

type Folders = readonly [diff: string, scratch: string];

interface Made {
  /** What its layer depends on, besides what it stands on. */
  readonly key: readonly unknown[];
  readonly fill: (folders: Folders) => Promise<void>;
}

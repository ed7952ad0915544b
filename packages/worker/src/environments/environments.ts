/**
 * The images of a worker whose functions are processes of its host: a virtual environment with the packages, a folder with
 * the files, and variables. Each is made in the place where it stays, since a virtual environment cannot be moved, and is
 * there when its record is.
 */
import { constants, cp, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { type Clock, hasCode, PlatformError, removeBelow, writeDurably } from "@lydian/kit";
import { z } from "zod";

import type { ImageMaker } from "../builds/build.ts";
import { contextOf } from "../builds/context.ts";
import { copyInto } from "../builds/copy-step.ts";
import type { KnownImages, Outcome } from "../builds/images.ts";
import { Pins } from "../builds/pins.ts";
import type { RecipeRequest } from "../builds/recipe.ts";
import type { StepCustomer } from "../builds/step-host.ts";
import type { ContentCache } from "../content.ts";
import { imageConfigSchema } from "../images/index.ts";
import type { Interpreters } from "../runners/interpreters.ts";
import type { HostEnvironment, RootImage } from "../runtime/runtime.ts";
import { RootPaths } from "../runtime/runc/root-path.ts";
import { copyVenv, install, makeVenv } from "./install.ts";
import { type Base, type Plan, planOf, type PlanStep, refusal } from "./plan.ts";

export interface EnvironmentsOptions {
  readonly folder: string;
  readonly content: Pick<ContentCache, "file">;
  readonly interpreters: Pick<Interpreters, "find">;
  /** What is inherited from the host where packages are fetched. */
  readonly settings: () => Promise<Readonly<Record<string, string>>>;
  /** The host's own PATH. */
  readonly path: string;
  readonly clock: Clock;
}

type RequestedRecipe = RecipeRequest["recipe"];

type Environment = Outcome & RootImage & { readonly environment: HostEnvironment };

export interface KeptEnvironment {
  readonly id: string;
  readonly folder: string;
  readonly madeAt: number;
}

const recordSchema = z.object({
  python: z.string(),
  config: imageConfigSchema,
  /** Empty: the host's own interpreter. */
  program: z.string(),
});

export class Environments implements KnownImages, ImageMaker {
  /** As an ImageMaker. */
  readonly images: Environments = this;
  readonly #options: EnvironmentsOptions;
  readonly #known = new Map<string, Environment>();
  readonly #pins = new Pins();
  #onGone: (id: string) => void = () => {};

  private constructor(options: EnvironmentsOptions) {
    this.#options = options;
  }

  /** What a worker before was making goes. */
  static async open(options: EnvironmentsOptions): Promise<Environments> {
    const environments = new Environments(options);
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    for (const id of await readdir(options.folder)) {
      const found = await environments.#read(id);
      if (found === undefined) await removeBelow(options.folder, join(options.folder, id));
      else environments.#known.set(id, found);
    }
    return environments;
  }

  get ids(): readonly string[] {
    return [...this.#known.keys()];
  }

  onGone(listener: (id: string) => void): void {
    this.#onGone = listener;
  }

  pin(id: string): Disposable {
    return this.#pins.pin(id);
  }

  isPinned(id: string): boolean {
    return this.#pins.has(id);
  }

  /** Each, with the folder that has all of it, and when it was made; milliseconds since the epoch. */
  async list(): Promise<readonly KeptEnvironment[]> {
    const ids = [...this.#known.keys()];
    const all = await Promise.all(
      ids.map(async (id) => {
        const folder = this.#place(id);
        const madeAt = await timeOf(recordFile(folder));
        return madeAt === undefined ? undefined : { id, folder, madeAt };
      }),
    );
    return all.filter((each) => each !== undefined);
  }

  async find(id: string): Promise<Environment | undefined> {
    return this.#known.get(id);
  }

  async forget(id: string): Promise<void> {
    const isKnown = this.#known.delete(id);
    this.#onGone(id);
    if (isKnown) await removeBelow(this.#options.folder, this.#place(id));
  }

  /** On disk when it resolves. */
  async make({ recipe }: RecipeRequest, customer: StepCustomer): Promise<Environment> {
    const { folder, interpreters, path } = this.#options;
    const place = this.#place(recipe.imageId);
    const known = new Map([...this.#known].map(([id, { facts, config }]) => [id, { python: facts.python, config }]));
    const plan = planOf(recipe, path, known);
    // Says so when there is none.
    const interpreter = plan.python === "" ? "" : (await interpreters.find(plan.python)).program;
    await removeBelow(folder, place); // what a try before has left
    const files = join(place, "files");
    await mkdir(files, { recursive: true, mode: 0o755 });
    const base = plan.from === undefined ? undefined : this.#known.get(plan.from)?.environment;
    if (base !== undefined)
      await cp(base.files, files, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
    const program = await this.#venv(join(place, "venv"), plan, { base, interpreter }, customer);
    for (const [index, step] of plan.steps.entries()) {
      customer.say(`=> Step ${index + 1}: ${step.text}`);
      if (step.kind === "copy") await this.#copy(step, files, recipe, customer);
      else await this.#install(step, { program, files, secrets: recipe.secrets }, customer);
    }
    const { python, config } = plan;
    const record: z.input<typeof recordSchema> = { python, config: { ...config }, program };
    await writeDurably(recordFile(place), JSON.stringify(record));
    const made = environmentOf(recipe.imageId, { python, config }, program, place);
    this.#known.set(recipe.imageId, made);
    return made;
  }

  /** Its interpreter; empty where the host's own will do. */
  async #venv(
    folder: string,
    { steps }: Plan,
    { base, interpreter }: { base: HostEnvironment | undefined; interpreter: string },
    customer: StepCustomer,
  ): Promise<string> {
    const { path } = this.#options;
    if (base?.program !== undefined) return await copyVenv(dirname(dirname(base.program)), folder);
    return steps.some(({ kind }) => kind === "install")
      ? await makeVenv(interpreter, folder, { path, ...customer })
      : "";
  }

  async #install(
    step: Extract<PlanStep, { kind: "install" }>,
    into: { program: string; files: string; secrets: Readonly<Record<string, string>> },
    customer: StepCustomer,
  ): Promise<void> {
    const { settings, clock } = this.#options;
    await install({ ...step, ...into, settings: await settings(), clock }, customer);
  }

  async #copy(
    { copy, text }: Extract<PlanStep, { kind: "copy" }>,
    files: string,
    recipe: RequestedRecipe,
    { signal, folder }: StepCustomer,
  ): Promise<void> {
    const { tree } = await contextOf(recipe, this.#options.content, signal);
    await copyInto(new RootPaths(files), copy, tree, { scratch: join(folder, "copy"), signal });
    // Below a hidden name lies what only other steps read, such as the clients' /.requirements.txt.
    const elsewhere = (await readdir(files)).find((name) => name !== "root" && !name.startsWith("."));
    if (elsewhere !== undefined) throw refusal(text, ` for /${elsewhere}`);
  }

  async #read(id: string): Promise<Environment | undefined> {
    const place = join(this.#options.folder, id);
    try {
      const { program, ...base } = recordSchema.parse(JSON.parse(await readFile(recordFile(place), "utf8")));
      return environmentOf(id, base, program, place);
    } catch (error) {
      // One that cannot be read is as good as none: it is made again.
      if (hasCode(error, "ENOENT") || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
      throw error;
    }
  }

  #place(id: string): string {
    if (!/^im-[A-Za-z0-9]+$/.test(id)) throw new PlatformError(`${JSON.stringify(id)} is no image's id`);
    return join(this.#options.folder, id);
  }
}

const recordFile = (place: string): string => join(place, "record.json");

/** Undefined for one that is gone. */
async function timeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).mtimeMs;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function environmentOf(id: string, { python, config }: Base, program: string, place: string): Environment {
  return {
    config,
    facts: { python, libc: "", mark: "" },
    layers: [],
    environment: { id, files: join(place, "files"), program: program === "" ? undefined : program },
  };
}

/** Puts the functions of an app on a platform; nobody can call them before all are there. */
import { fileURLToPath } from "node:url";

import { type AppState, type DeploymentType, ModalClient } from "@lydian/contract";

import type { App } from "../app.ts";
import { type Definition, tagOf } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import { Image } from "../objects/image.ts";
import type { AppPlace } from "../objects/place.ts";
import { functionRequest } from "./define.ts";
import { ImageMaker, type ProgramNeeds } from "./images.ts";
import { makeMount } from "./mount.ts";
import { nodeWishOf, otherNode } from "./node-version.ts";
import type { Observer } from "./observer.ts";
import { ownCode } from "./own-code.ts";
import { type Packages, packagesOf } from "./packages.ts";
import { definitionsOf, moduleOf } from "./program.ts";
import { filesBeside, localFiles, type ShippedFile } from "./shipped-files.ts";
import { shipment } from "./shipment.ts";
import { assetsOf, type SourceGraph, traceSources } from "./source-graph.ts";

/** What is found out and checked before the platform is asked for anything. */
export interface Plan {
  readonly app: App;
  readonly definitions: readonly Definition[];
  readonly graph: SourceGraph;
  readonly packages: Packages | undefined;
  readonly files: readonly ShippedFile[];
  /** Those beside the code, from the program's root. */
  readonly beside: readonly string[];
}

export async function planOf(app: App, traced?: SourceGraph): Promise<Plan> {
  const definitions = await definitionsOf(app);
  const graph = traced ?? (await traceSources(fileOf([...definitions, ...app.entrypoints])));
  for (const definition of definitions) moduleOf(definition, graph); // throws for one that does not ship
  const globs = app.all.flatMap(({ defaults }) => defaults.includeFiles ?? []);
  const beside = await filesBeside(graph.root, assetsOf(graph), globs);
  const node = nodeWishOf(graph.root);
  for (const definition of definitions) if (imageOf(definition).parts.node === undefined) otherNode(node); // throws for none that there is
  const packages =
    definitions.length === 0 ? undefined : packagesOf(graph, definitions.flatMap(imageOf).flatMap(packagesIn));
  return { app, definitions, graph, packages, files: shipment(graph, beside), beside };
}

/** One for all, as each image is made once. */
const usualImage = Image.debianSlim();
const imageOf = ({ options, owner }: Definition): Image => options.image ?? owner.defaults.image ?? usualImage;

/** Names of packages that an image has by itself: "sharp@0.34" is sharp. */
function packagesIn({ parts }: Image): string[] {
  const specs = parts.steps.flatMap((step) => ("npm" in step ? step.npm : []));
  return specs.map((spec) => spec.replace(/(?<=.)@.*$/, ""));
}

function fileOf([first]: readonly Definition[]): string {
  const url = first?.site.module ?? "";
  if (url.startsWith("file:")) return fileURLToPath(url);
  throw new InvalidError(`${first?.name} is defined in ${url}, which is no file`);
}

export interface Publication {
  readonly state: AppState;
  /** Of a deployment. */
  readonly name?: string;
  readonly type?: DeploymentType;
  /** The ids that the app has already, by name. */
  readonly existing?: {
    readonly functions?: Readonly<Record<string, string>>;
    readonly classes?: Readonly<Record<string, string>>;
  };
  readonly observer: Observer;
}

export interface Published {
  readonly functionIds: ReadonlyMap<string, string>;
  readonly classIds: ReadonlyMap<string, string>;
  readonly url: string;
  /** Addresses of web functions, by name. */
  readonly webUrls: ReadonlyMap<string, string>;
}

/** Answers the ids of functions and classes by name, and the address that the platform shows the app at. */
export async function publish(plan: Plan, place: AppPlace, publication: Publication): Promise<Published> {
  const { observer } = publication;
  const { app, definitions, graph } = plan;
  const code = definitions.length === 0 ? [] : makeMounts(plan, place, observer);
  const images = new Images(plan, place, observer);
  const made = await Promise.all(
    definitions.map(async (definition) => {
      const { defaults } = definition.owner;
      const image = imageOf(definition);
      const [imageId, mountIds] = await Promise.all([images.make(image), code]);
      const added = await images.added(image);
      const parts = {
        appName: app.name,
        imageId,
        mountIds: [...mountIds, ...added],
        module: moduleOf(definition, graph),
      };
      return { definition, request: await functionRequest(definition, defaults, parts, place) };
    }),
  );
  if (app.defaults.tags !== undefined)
    await place.client.ask(ModalClient.method.appSetTags, { appId: place.appId, tags: app.defaults.tags });
  return await observer.step(creating(made.length), () => create(made, plan, place, publication));
}

const creating = (functions: number): string =>
  functions === 0 ? "Creating an app" : functions === 1 ? "Creating a function" : `Creating ${functions} functions`;

type Request = Awaited<ReturnType<typeof functionRequest>>;

/** All of an app's functions and classes, and then the app. */
async function create(
  made: readonly { definition: Definition; request: Request }[],
  { definitions }: Plan,
  place: AppPlace,
  { observer, existing = {}, ...publication }: Publication,
): Promise<Published> {
  const created = await Promise.all(
    made.map(async ({ definition, request }) => {
      const name = tagOf(definition);
      const existingFunctionId = existing.functions?.[name] ?? "";
      const reply = await place.client.ask(ModalClient.method.functionCreate, {
        ...request,
        appId: place.appId,
        existingFunctionId,
      });
      for (const { message } of reply.serverWarnings) observer.warn(message);
      const { definitionId = "", webUrl = "", methodHandleMetadata = {} } = reply.handleMetadata ?? {};
      const methods = Object.entries(methodHandleMetadata).map(
        ([method, own]) => [`${definition.name}.${method}`, own.webUrl] as const,
      );
      const webUrls = [[name, webUrl] as const, ...methods].filter(([, url]) => url !== "");
      return { name, id: reply.functionId, definitionId, webUrls };
    }),
  );
  const classIds = await Promise.all(
    definitions.flatMap(({ kind, name = "" }) =>
      kind === "class" ? [createClass(place, name, existing.classes?.[name])] : [],
    ),
  );
  const { url } = await place.client.ask(ModalClient.method.appPublish, {
    appId: place.appId,
    name: publication.name ?? "",
    appState: publication.state,
    ...(publication.type !== undefined && { deploymentType: publication.type }),
    functionIds: Object.fromEntries(created.map(({ name, id }) => [name, id])),
    classIds: Object.fromEntries(classIds),
    definitionIds: Object.fromEntries(created.map(({ id, definitionId }) => [id, definitionId])),
  });
  return {
    functionIds: new Map(created.map(({ name, id }) => [name, id])),
    classIds: new Map(classIds),
    webUrls: new Map(created.flatMap(({ webUrls }) => webUrls)),
    url,
  };
}

async function createClass(
  { client, appId }: AppPlace,
  name: string,
  existingClassId = "",
): Promise<[name: string, id: string]> {
  const { classId } = await client.ask(ModalClient.method.classCreate, {
    appId,
    existingClassId,
    onlyClassFunction: true,
  });
  return [name, classId];
}

async function makeMounts({ files }: Plan, place: AppPlace, observer: Observer): Promise<string[]> {
  return await observer.step(
    "Sending the code",
    async () => await Promise.all([makeMount(place, await ownCode()), makeMount(place, files)]),
    () => `${files.length} files`,
  );
}

/** Each image once, whoever asks. */
class Images {
  readonly #needs: ProgramNeeds;
  readonly #place: AppPlace;
  readonly #observer: Observer;
  readonly #images = new Map<Image, Promise<string>>();
  readonly #added = new Map<Image, Promise<string[]>>();

  constructor({ app, packages, graph }: Plan, place: AppPlace, observer: Observer) {
    this.#needs = { packages, npmSecret: app.defaults.npmSecret, node: nodeWishOf(graph.root), graph };
    this.#place = place;
    this.#observer = observer;
  }

  make(image: Image): Promise<string> {
    const known = this.#images.get(image) ?? this.#make(image);
    this.#images.set(image, known);
    return known;
  }

  /** Mounts of what the image adds as containers start. */
  added(image: Image): Promise<string[]> {
    const known = this.#added.get(image) ?? this.#add(image);
    this.#added.set(image, known);
    return known;
  }

  async #make(image: Image): Promise<string> {
    return await this.#observer.step("Making an image", (line) =>
      new ImageMaker(this.#place, this.#needs, line).make(image),
    );
  }

  async #add({ parts }: Image): Promise<string[]> {
    return parts.added.length === 0 ? [] : [await makeMount(this.#place, parts.added.flatMap(localFiles))];
  }
}

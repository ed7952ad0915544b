/** Makes images of what a program says of them: steps, files, packages. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ImageSchema, RegistryAuthType } from "@lydian/contract";

import type { Dockerfile, Image, Step } from "../objects/image.ts";
import type { AppPlace } from "../objects/place.ts";
import type { Secret } from "../objects/secret.ts";
import { readDockerfile } from "./dockerfile.ts";
import { functionStep } from "./function-step.ts";
import { installNamed, installPackages, withNode } from "./installed.ts";
import { makeMount } from "./mount.ts";
import { type NodeWish, otherNode } from "./node-version.ts";
import type { OnLine } from "./observer.ts";
import { orderImage } from "./order-image.ts";
import type { Packages } from "./packages.ts";
import type { SourceGraph } from "./source-graph.ts";
import { localFiles, type ShippedFile } from "./shipped-files.ts";

type Common = Pick<MessageInitShape<typeof ImageSchema>, "secretIds" | "imageRegistryConfig">;

/** What a program wants of all its images. */
export interface ProgramNeeds {
  readonly packages: Packages | undefined;
  /** The environment of the step that installs them. */
  readonly npmSecret: Secret | undefined;
  readonly node: NodeWish | undefined;
  /** Whose functions are steps. */
  readonly graph: SourceGraph;
}

/** Makes images with the packages of one program. */
export class ImageMaker {
  readonly #place: AppPlace;
  readonly #packages: Packages | undefined;
  readonly #npmSecret: Secret | undefined;
  readonly #node: NodeWish | undefined;
  readonly #graph: SourceGraph;
  readonly #onLine: OnLine | undefined;

  constructor(place: AppPlace, { packages, npmSecret, node, graph }: ProgramNeeds, onLine: OnLine | undefined) {
    this.#place = place;
    this.#packages = packages;
    this.#npmSecret = npmSecret;
    this.#node = node;
    this.#graph = graph;
    this.#onLine = onLine;
  }

  /** The image's id, once it is there: its steps in their order, and the program's packages at the end unless a step is theirs. */
  async make({ parts }: Image): Promise<string> {
    const registrySecret = parts.registrySecret && (await parts.registrySecret.id(this.#place));
    const common: Common = {
      secretIds: await Promise.all(parts.secrets.map((secret) => secret.id(this.#place))),
      ...(registrySecret !== undefined && {
        imageRegistryConfig: { registryAuthType: RegistryAuthType.STATIC_CREDS, secretId: registrySecret },
      }),
    };
    const node = otherNode(parts.node === undefined ? this.#node : { range: parts.node, source: "the image" });
    let hasNode = node === undefined;
    let id: string | undefined;
    let pending: Step[] = [];
    const settle = async (): Promise<string> => {
      if (pending.length > 0) id = await this.#plain(pending, id, common);
      pending = [];
      return id ?? "";
    };
    let hasPackages = this.#packages === undefined;
    for (const step of parts.steps) {
      if ("npm" in step) {
        id = await installNamed(this.#place, await settle(), step.npm, node, this.#onLine);
        hasNode = true;
      } else if ("packages" in step) {
        const base = await settle();
        id = hasPackages ? base : await this.#install(base, node);
        hasPackages = hasNode = true;
      } else if ("call" in step) {
        const base = await settle();
        const ready = hasPackages
          ? await withNode(this.#place, base, node, this.#onLine)
          : await this.#install(base, node);
        hasPackages = hasNode = true;
        id = await orderImage(
          this.#place,
          await functionStep(step.call, this.#place, ready, this.#graph),
          this.#onLine,
        );
      } else if ("dockerfile" in step) id = await this.#ofDockerfile(step.dockerfile, common);
      else pending.push(step);
    }
    const whole = await settle();
    if (!hasPackages) return await this.#install(whole, node);
    return hasNode ? whole : await withNode(this.#place, whole, node, this.#onLine);
  }

  async #install(base: string, node: string | undefined): Promise<string> {
    if (this.#packages === undefined) return base;
    const given = { secret: this.#npmSecret, node };
    return await installPackages(this.#place, base, this.#packages, given, this.#onLine);
  }

  /** Lines and copies, on an image or on what their own FROM names. */
  async #plain(steps: readonly Step[], base: string | undefined, common: Common): Promise<string> {
    const copied: ShippedFile[] = [];
    const lines = steps.flatMap((step, index) => {
      if ("line" in step) return [step.line];
      if (!("copy" in step)) return [];
      const files = localFiles(step.copy);
      copied.push(...files.map((file) => ({ ...file, remote: `/${index}${file.remote}` })));
      // The context has each file where the image is to have it, below a folder of the step's own.
      return files.length === 0 ? [] : [`COPY ${index}/ /`];
    });
    return await orderImage(
      this.#place,
      {
        ...common,
        dockerfileCommands: base === undefined ? lines : ["FROM base", ...lines],
        ...(base !== undefined && { baseImages: [{ dockerTag: "base", imageId: base }] }),
        ...(copied.length > 0 && { contextMountId: await makeMount(this.#place, copied) }),
      },
      this.#onLine,
    );
  }

  async #ofDockerfile(dockerfile: Dockerfile, common: Common): Promise<string> {
    const { lines, files } = readDockerfile(dockerfile);
    const context = files.length > 0 && { contextMountId: await makeMount(this.#place, files) };
    return await orderImage(this.#place, { ...common, dockerfileCommands: [...lines], ...context }, this.#onLine);
  }
}

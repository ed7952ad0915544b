/** Steps of an image that need Node and npm: the packages of a program, and those that an image itself asks for. */
import { ModalClient } from "@lydian/contract";

import { InvalidError } from "../errors.ts";
import type { AppPlace } from "../objects/place.ts";
import type { Secret } from "../objects/secret.ts";
import type { OnLine } from "./observer.ts";
import { orderImage } from "./order-image.ts";
import type { Packages } from "./packages.ts";

/** Where an image has the Node that its functions run on, if that is not the worker's; workers read it. */
const nodeVariable = "LYDIAN_NODE";

/** On this image: Node and npm in /usr/local, which the worker gives; with `node`, a range of versions, that Node in its place. */
export async function withNode(
  place: AppPlace,
  base: string,
  node: string | undefined,
  onLine: OnLine | undefined,
): Promise<string> {
  const { mountId } = await place.client.ask(ModalClient.method.mountGetOrCreate, { deploymentName: "lydian-node" });
  return await orderImage(
    place,
    {
      dockerfileCommands: ["FROM base", "COPY /node/. /usr/local", ...(node === undefined ? [] : otherNode(node))],
      baseImages: [{ dockerTag: "base", imageId: base }],
      contextMountId: mountId,
    },
    onLine,
  );
}

function otherNode(range: string): string[] {
  const scratch = "/tmp/lydian-node";
  const name = "node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')";
  const install = `LD_LIBRARY_PATH=/usr/local/lib npm install --no-save --no-audit --no-fund --update-notifier=false --cache ${scratch}/npm "${name}@${range}"`;
  const steps = [`mkdir ${scratch}`, `cd ${scratch}`, "echo {} > package.json", install];
  const last = ["cp node_modules/node-linux-*/bin/node /usr/local/bin/node", "cd /", `rm -rf ${scratch}`];
  return [`RUN ${[...steps, ...last].join(" && ")}`, `ENV ${nodeVariable}=/usr/local/bin/node`];
}

/** What the program's lock file says, in /root. `secret` is the step's environment. */
export async function installPackages(
  place: AppPlace,
  base: string,
  { files, command }: Packages,
  { secret, node }: { secret: Secret | undefined; node: string | undefined },
  onLine: OnLine | undefined,
): Promise<string> {
  const imageId = await withNode(place, base, node, onLine);
  const paths = Object.keys(files);
  const folders = [...new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/") + 1)))];
  const copies = folders.map((folder) => {
    const here = paths.filter((path) => path.slice(0, path.lastIndexOf("/") + 1) === folder);
    return `COPY ${here.join(" ")} /root/${folder}`;
  });
  const odd = paths.find((path) => /\s/.test(path));
  if (odd !== undefined) throw new InvalidError(`${odd} has a space in its path, which no step of an image can copy`);
  return await orderImage(
    place,
    {
      dockerfileCommands: ["FROM base", ...copies, `RUN cd /root && ${command}`],
      baseImages: [{ dockerTag: "base", imageId }],
      contextFiles: Object.entries(files).map(([filename, text]) => ({ filename, data: Buffer.from(text) })),
      ...(secret && { secretIds: [await secret.id(place)] }),
    },
    onLine,
  );
}

/** Packages by their names, such as "sharp@0.34", for whatever runs in the image. */
export async function installNamed(
  place: AppPlace,
  base: string,
  names: readonly string[],
  node: string | undefined,
  onLine: OnLine | undefined,
): Promise<string> {
  const imageId = await withNode(place, base, node, onLine);
  const words = names.map((name) => `'${name}'`).join(" ");
  // npm installs nothing into / itself, where imports of every folder find it; so it is moved there from a project of its own.
  const scratch = "/tmp/lydian-packages";
  const install = `LD_LIBRARY_PATH=/usr/local/lib npm install --no-save --no-audit --no-fund --update-notifier=false --cache ${scratch}/npm ${words}`;
  const command = `mkdir -p ${scratch} /node_modules && cd ${scratch} && echo {} > package.json && ${install} && cp -a node_modules/. /node_modules/ && cd / && rm -rf ${scratch}`;
  return await orderImage(
    place,
    {
      dockerfileCommands: ["FROM base", `RUN ${command}`],
      baseImages: [{ dockerTag: "base", imageId }],
    },
    onLine,
  );
}

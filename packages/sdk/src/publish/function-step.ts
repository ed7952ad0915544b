/** A step of an image that calls a function of the program's: its code is copied there, called, and taken away again. */
import { join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ImageSchema } from "@lydian/contract";

import { volumeMountsOf } from "../calls/variant.ts";
import { formatSite } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import type { FunctionStep } from "../objects/image.ts";
import type { AppPlace } from "../objects/place.ts";
import { argumentsName, home, packageFolder, programFolder } from "../runner/layout.ts";
import { encodeArguments } from "../values/arguments.ts";
import { makeMount } from "./mount.ts";
import { ownCode } from "./own-code.ts";
import { urlOfModule } from "./program.ts";
import { shipment } from "./shipment.ts";
import { type SourceGraph, traceSources } from "./source-graph.ts";

/** What the image is ordered with, on an image that has Node and the program's packages. */
export async function functionStep(
  { fn, args, site, secrets, volumes }: FunctionStep,
  place: AppPlace,
  base: string,
  graph: SourceGraph,
): Promise<MessageInitShape<typeof ImageSchema>> {
  const { module, name } = await exportOf(fn, site, graph);
  // What the function's own module leads to, so that it is called again when that changes, and not with each edit of the program.
  const own = await traceSources(join(graph.root, module));
  const given = { text: Buffer.from(encodeArguments(args)) };
  const program = shipment(own, []);
  const files = [
    ...(await ownCode()),
    ...program,
    { remote: `${home}/${programFolder}/${argumentsName}`, content: given, mode: 0o644 },
  ];
  const run = `MODAL_IS_REMOTE=1 LD_LIBRARY_PATH=/usr/local/lib node ${home}/${packageFolder}/build.js ${quoted(module)} ${quoted(name)}`;
  const [shown, folders] = [`${home}/package.json`, [programFolder, packageFolder].map((name) => `${home}/${name}`)];
  const sources = program.filter(({ remote }) => remote !== shown && !remote.startsWith(`${home}/${programFolder}/`));
  const gone = [...folders, ...sources.map(({ remote }) => quoted(remote))].join(" ");
  return {
    dockerfileCommands: ["FROM base", "COPY . /", `RUN cd ${home} && ${run} && rm -rf ${gone}`],
    baseImages: [{ dockerTag: "base", imageId: base }],
    contextMountId: await makeMount(place, files),
    secretIds: await Promise.all(secrets.map((secret) => secret.id(place))),
    volumeMounts: await volumeMountsOf(volumes, place),
  };
}

/** Among what the module exports that names it, or one that this imports. */
async function exportOf(
  fn: FunctionStep["fn"],
  site: FunctionStep["site"],
  { root, modules }: SourceGraph,
): Promise<{ module: string; name: string }> {
  const from = site.module.startsWith("file:")
    ? relative(root, fileURLToPath(site.module.replace(/\?.*$/, "")))
        .split(sep)
        .join("/")
    : "";
  const own = modules.find(({ path }) => path === from);
  for (const module of [from, ...Object.values(own?.imports ?? {})]) {
    if (!modules.some(({ path }) => path === module)) continue;
    const exports = (await import(urlOfModule(join(root, module)) ?? pathToFileURL(join(root, module)).href)) as object;
    const found = Object.entries(exports).find(([, value]) => value === fn);
    if (found !== undefined) return { module, name: found[0] };
  }
  throw new InvalidError(
    `the function that runFunction is given at ${formatSite(site)} is exported by no module there`,
    {
      hint: "export it from that file, or from one that it imports",
    },
  );
}

/** As a word of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

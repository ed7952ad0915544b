/**
 * Where no worker makes images, functions run with the host's Python: the clients' default image then needs no build, and
 * whatever else is asked for is refused with the step that cannot be.
 */
import type { Outcome, Recipe } from "../domain/image.ts";
import type { WorkerView } from "../domain/worker.ts";
import { shortened } from "./recipe.ts";

const from = /^FROM python:(3\.\d+)(?:\.\d+)?-slim-[a-z]+$/;

/** What the clients put on top of the base: compilers, package tools, quiet debconf, something to run. */
const usualSteps = [
  /^RUN apt-get update$/,
  /^RUN apt-get install -y gcc gfortran build-essential$/,
  /^RUN pip install --upgrade pip wheel uv$/,
  /^RUN echo 'debconf debconf\/frontend select Noninteractive' \| debconf-set-selections$/,
  /^CMD \["sleep", "\d+"\]$/,
];

/** What becomes of an image where nobody builds; undefined while somebody does, or nobody is there to say. */
export function withoutBuilds(
  recipe: Recipe,
  workers: readonly WorkerView[],
): Exclude<Outcome, { kind: "lost" }> | undefined {
  if (workers.length === 0 || workers.some(({ images }) => images !== undefined)) return undefined;
  const step = unusualStep(recipe);
  const python = from.exec(recipe.lines[0] ?? "")?.[1];
  if (step === undefined && python !== undefined) return { kind: "built", built: { python, libc: "", workdir: "" } };
  const message =
    `The image's step "${shortened(step ?? "")}" needs a root file system of its own, and this platform runs functions ` +
    "as processes of its host. Use modal.Image.debian_slim() without further steps (add_local_* works, too), or run the " +
    "platform with containers.";
  return { kind: "failed", failure: { status: "failure", message } };
}

/** The first step that is not one of the default image; its first line where that brings something along. */
function unusualStep({ lines, bases, called, ...rest }: Recipe): string | undefined {
  if (called !== undefined) return `run_function ${called.name}`;
  const [first = "", ...steps] = lines;
  const isBased = Object.keys(bases).length > 0;
  if (isBased || !from.test(first)) return (isBased ? steps[0] : undefined) ?? first;
  const unusual = steps.find((line, at) => usualSteps[at]?.test(line) !== true);
  if (unusual !== undefined) return unusual;
  if (steps.length > 0 && steps.length < usualSteps.length) return steps.at(-1);
  const { contextManifestSha256, contextName, contextFiles, secretIds } = rest;
  const isPlain = contextManifestSha256 + contextName === "" && contextFiles.length + secretIds.length === 0;
  return isPlain ? undefined : first;
}

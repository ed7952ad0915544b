/**
 * The one image that exists before images are built from their steps: the clients' default, per Python minor.
 *
 * Whatever else is asked for is refused with a sentence, never answered with something that is nearly right.
 */
import type { Image } from "@lydian/contract";

/** The builder versions whose default image is known, newest last; all supported clients take the first. */
export const builderVersion = "2025.06";

const from = /^FROM python:(3\.\d+)(?:\.\d+)?-slim-[a-z]+$/;

/** What the clients put on top of the base: compilers, package tools, quiet debconf, something to run. */
const usualSteps = [
  /^RUN apt-get update$/,
  /^RUN apt-get install -y gcc gfortran build-essential$/,
  /^RUN pip install --upgrade pip wheel uv$/,
  /^RUN echo 'debconf debconf\/frontend select Noninteractive' \| debconf-set-selections$/,
  /^CMD \["sleep", "\d+"\]$/,
];

/** The Python minor of the default image, such as "3.11"; undefined when it is any other image. */
export function defaultImagePython(image: Image): string | undefined {
  const plain =
    image.baseImages.length === 0 &&
    image.contextFiles.length === 0 &&
    image.contextMountId === "" &&
    image.secretIds.length === 0 &&
    image.buildFunction === undefined;
  const [first = "", ...steps] = image.dockerfileCommands;
  const usual = steps.length === usualSteps.length && usualSteps.every((step, i) => step.test(steps[i] ?? ""));
  return plain && usual ? from.exec(first)?.[1] : undefined;
}

/** Shown in the image's log. */
export const withoutExtras =
  "This version of Lydian brings the default image without its extra packages: no compilers, no uv.\n";

/**
 * What a recipe comes to where functions are processes of the host: packages for a virtual environment, files, variables and
 * a working directory. Whatever needs a root file system of its own is refused by its step. Pure.
 */
import type * as wire from "@lydian/contract/worker";
import { PlatformError } from "@lydian/kit";

import { type Command, type Located, parseDockerfile } from "../builds/dockerfile.ts";
import { type CopyStep, fold, type State } from "../builds/fold.ts";
import { stagesOf } from "../builds/stages.ts";
import type { ImageConfig } from "../images/index.ts";
import { expand, splitWords, type Variables } from "../builds/words.ts";

/** What an image is like here. */
export interface Base {
  /** The Python's minor version, such as "3.11"; empty for one without, which functions in TypeScript need not. */
  readonly python: string;
  readonly config: ImageConfig;
}

/** What it is to be like, and what is to be done for that beyond what it stands on. */
export interface Plan extends Base {
  /** The image that it goes on from, by its id. */
  readonly from: string | undefined;
  readonly steps: readonly PlanStep[];
}

export type PlanStep = { readonly text: string } & (
  | {
      readonly kind: "install";
      readonly tool: "pip" | "uv";
      readonly words: readonly string[];
      readonly env: Variables;
    }
  | { readonly kind: "copy"; readonly copy: CopyStep }
);

type Recipe = Pick<wire.ImageRecipe, "lines" | "bases" | "buildArgs" | "contextName" | "function" | "volumes">;

const pythonImage = /^(?:docker\.io\/(?:library\/)?)?python:(3\.\d+)(?:\.\d+)?-slim-[a-z]+$/;
const plainImage = /^(?:docker\.io\/(?:library\/)?)?debian:[a-z]+-slim$/;
const uvImage = /^ghcr\.io\/astral-sh\/uv:[\w.-]+$/;

/** What the clients put into every image and a host has of its own: compilers, package tools, quiet debconf. */
const hostsOwn = [
  /^apt-get update$/,
  /^apt-get install -y gcc gfortran build-essential$/,
  /^pip install --upgrade pip wheel uv$/,
  /^echo 'debconf debconf\/frontend select Noninteractive' \| debconf-set-selections$/,
];

/** `path` is the host's own PATH; `known` are the images that this one may stand on, by their ids. */
export function planOf(recipe: Recipe, path: string, known: ReadonlyMap<string, Base>): Plan {
  const { lines, buildArgs, contextName, volumes, function: called } = recipe;
  if (called !== undefined) throw refusal(`run_function ${called.name}`);
  const { stages, args } = stagesOf(parseDockerfile(lines), buildArgs);
  const [stage, ...others] = stages;
  if (stage === undefined || others.length > 0) throw refusal(lines[0] ?? "FROM");
  if (volumes.length > 0) throw refusal(lines.at(-1) ?? "RUN", ", for it mounts volumes");
  const base = baseOf(stage.base, recipe, path, known);
  if (contextName !== "") throw refusal(`COPY from ${contextName}`);
  let state: State = { config: base.config, args };
  const steps: PlanStep[] = [];
  for (const instruction of stage.instructions) {
    const step = stepOf(instruction, state);
    if (step?.kind === "install" && base.python === "") throw refusal(step.text, ", for the image has no Python");
    if (step !== undefined) steps.push(step);
    state = fold(state, instruction, buildArgs).state;
  }
  const { workdir } = state.config;
  if (workdir !== "/" && !isHome(workdir)) throw refusal(`WORKDIR ${workdir}`);
  return { python: base.python, from: recipe.bases[stage.base], steps, config: state.config };
}

function baseOf(name: string, { bases, lines }: Recipe, path: string, known: ReadonlyMap<string, Base>): Base {
  const id = bases[name];
  const base = id === undefined ? undefined : known.get(id);
  if (base !== undefined) return base;
  if (id !== undefined) throw new PlatformError(`image ${id}, which this one stands on, is not on this worker`);
  const python = plainImage.test(name) ? "" : pythonImage.exec(name)?.[1];
  if (python === undefined) throw refusal(lines.find((line) => /^\s*FROM/i.test(line)) ?? name);
  return { python, config: { env: { PATH: path }, workdir: "/", user: "root" } };
}

function stepOf(instruction: Located, state: State): PlanStep | undefined {
  const { text } = instruction;
  switch (instruction.kind) {
    case "run":
      return runStep(instruction.command, text, state);
    case "copy": {
      if (instruction.from !== undefined) {
        if (uvImage.test(expand(instruction.from, state.args))) return undefined; // comes as a package where it is called
        throw refusal(text);
      }
      const { step } = fold(state, instruction, {});
      if (step?.kind !== "copy" || instruction.isAdd || instruction.chown !== undefined) throw refusal(text);
      return { kind: "copy", text, copy: step };
    }
    case "user":
    case "shell":
      throw refusal(text);
    case "entrypoint":
      if (instruction.command.length > 0) throw refusal(text);
      return undefined;
    default:
      return undefined;
  }
}

/** Only installations of packages; their words go to the program as they are, and to no shell. */
function runStep(command: Command, text: string, { config, args }: State): PlanStep | undefined {
  if (typeof command === "string" && hostsOwn.some((pattern) => pattern.test(command))) return undefined;
  const env = { ...args, ...config.env };
  const words = typeof command === "string" ? shellWords(command, env) : command;
  const [tool, rest] = (words && installOf(words)) ?? [];
  if (tool === undefined || rest === undefined) throw refusal(text);
  return { kind: "install", tool, words: rest, env, text };
}

/**
 * Undefined for what only a shell can do; and where a variable is not the image's own, such as one of a secret, which would
 * stand in the list of the host's processes.
 */
function shellWords(command: string, variables: Variables): readonly string[] | undefined {
  const plain = command.replaceAll("$(command -v python)", "python");
  const unquoted = plain.replaceAll(/'[^']*'|"(?:\\.|[^"\\])*"|\\./g, "");
  const expanded = plain.replaceAll(/'[^']*'/g, "");
  if (/[;&|<>()`]/.test(unquoted) || /\$\(|`/.test(expanded)) return undefined;
  const named = [...expanded.matchAll(/\$\{?(\w+)/g)].map(([, name = ""]) => name);
  if (named.some((name) => !(name in variables))) return undefined;
  return splitWords(plain).map((word) => expand(word, variables));
}

function installOf(words: readonly string[]): readonly ["pip" | "uv", readonly string[]] | undefined {
  const line = words.join(" ");
  const [prefix] = /^(?:python3?(?:\.\d+)? -m )?pip3? install /.exec(line) ?? [];
  if (prefix !== undefined) return ["pip", words.slice(prefix.trim().split(" ").length - 1)];
  const [uv] = /^(?:\/\.uv\/uv|uv) (?:pip install|sync) /.exec(line) ?? [];
  return uv === undefined ? undefined : ["uv", words.slice(1)];
}

const isHome = (path: string): boolean => /^\/root(?:\/|$)/.test(path);

/** `what` of it does, where it is not all. */
export function refusal(step: string, what = ""): PlatformError {
  const shown = step.length > 100 ? `${step.slice(0, 100)}…` : step;
  return new PlatformError(`the step "${shown}" needs a root file system of its own${what}`, {
    hint:
      "this platform runs functions as processes of its host, where pip_install, uv_pip_install, env, workdir and files below " +
      "/root are there; run the platform with containers for the rest",
  });
}

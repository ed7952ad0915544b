/** What each instruction makes of an image's configuration, and what is to be done for it. Pure. */
import { posix } from "node:path";

import { PlatformError } from "@lydian/kit";

import type { ImageConfig } from "../images/index.ts";
import type { Command, Instruction } from "./dockerfile.ts";
import { expand, type Variables } from "./words.ts";

/** Between two instructions. */
export interface State {
  readonly config: ImageConfig;
  /** ARGs that were declared so far: environment of RUN lines, and never the image's. */
  readonly args: Variables;
}

export type Step = RunStep | CopyStep;

export interface RunStep {
  readonly kind: "run";
  readonly argv: readonly [string, ...string[]];
  readonly env: Variables;
  readonly cwd: string;
  readonly user: string;
}

export interface CopyStep {
  readonly kind: "copy";
  readonly isAdd: boolean;
  readonly sources: readonly string[];
  /** Absolute; ends in "/" when it must be a folder. */
  readonly target: string;
  /** A stage or image; undefined: the context. */
  readonly from: string | undefined;
  readonly chown: string | undefined;
  /** Permission bits. */
  readonly chmod: number | undefined;
  /** The sources are addresses. */
  readonly isFetched: boolean;
  /** Of what is fetched: "sha256:" and 64 digits. */
  readonly checksum: string | undefined;
}

const usualShell = ["/bin/sh", "-c"];

export interface Folded {
  readonly state: State;
  readonly step?: Step;
}

/** `given` are the build's arguments, for ARGs of these names. */
export function fold(state: State, instruction: Instruction, given: Variables): Folded {
  const { config, args } = state;
  const variables = { ...args, ...config.env };
  const configured = (change: Partial<ImageConfig>): Folded => ({
    state: { ...state, config: { ...config, ...change } },
  });
  switch (instruction.kind) {
    case "from":
      throw new Error("a stage begins with FROM");
    case "run": {
      const argv = argvOf(instruction.command, config);
      return { state, step: { kind: "run", argv, env: variables, cwd: config.workdir, user: config.user } };
    }
    case "copy":
      return { state, step: copyStep(instruction, config, variables) };
    case "env": {
      const pairs = instruction.pairs.map(([name, value]) => [name, expand(value, variables)]);
      return configured({ env: { ...config.env, ...Object.fromEntries(pairs) } });
    }
    case "arg": {
      const value = given[instruction.name] ?? (instruction.value && expand(instruction.value, variables));
      return value === undefined ? { state } : { state: { ...state, args: { ...args, [instruction.name]: value } } };
    }
    case "workdir":
      return configured({ workdir: posix.resolve(config.workdir, expand(instruction.value, variables)) });
    case "user":
      return configured({ user: expand(instruction.value, variables) });
    case "shell":
      return configured({ shell: instruction.words });
    case "entrypoint": {
      // What the base was to run has no meaning after another entry point.
      const { cmd: _cmd, ...rest } = config;
      const entrypoint = listOf(instruction.command, config);
      return { state: { ...state, config: { ...rest, entrypoint } } };
    }
    case "cmd":
      return configured({ cmd: listOf(instruction.command, config) });
    case "ignored":
      return { state };
  }
}

const listOf = (command: Command, { shell = usualShell }: ImageConfig): readonly string[] =>
  typeof command === "string" ? [...shell, command] : command;

function argvOf(command: Command, config: ImageConfig): readonly [string, ...string[]] {
  const [program, ...rest] = listOf(command, config);
  if (program === undefined || program === "") throw new PlatformError("RUN names no program");
  return [program, ...rest];
}

function copyStep(
  { isAdd, sources, target, from, chown, chmod, checksum }: Extract<Instruction, { kind: "copy" }>,
  { workdir }: ImageConfig,
  variables: Variables,
): CopyStep {
  const expanded = expand(target, variables);
  const mustBeFolder = /(?:^|\/)\.?$/.test(expanded) || sources.length > 1;
  const absolute = posix.resolve(workdir, expanded);
  const names = sources.map((source) => expand(source, variables));
  return {
    kind: "copy",
    isAdd,
    sources: names,
    isFetched: areAddresses(names, isAdd && from === undefined),
    checksum: checksum === undefined ? undefined : checksumOf(expand(checksum, variables), names),
    target: mustBeFolder && absolute !== "/" ? `${absolute}/` : absolute,
    from: from && expand(from, variables),
    chown: chown && expand(chown, variables),
    chmod: chmod === undefined ? undefined : modeOf(expand(chmod, variables)),
  };
}

function modeOf(text: string): number {
  if (!/^[0-7]{3,4}$/.test(text)) throw new PlatformError(`--chmod takes bits such as 755, not ${text}`);
  return Number.parseInt(text, 8);
}

const isGit = (source: string): boolean => /^(git@|git:|ssh:)|^https?:.*\.git(#.*)?$/.test(source);
const isAddress = (source: string): boolean => /^https?:\/\//.test(source);

/** Throws where they cannot be. */
function areAddresses(sources: readonly string[], mayBe: boolean): boolean {
  if (sources.some(isGit)) {
    throw new PlatformError("repositories of git are not added", { hint: "clone it with RUN git clone" });
  }
  const addresses = sources.filter(isAddress);
  if (addresses.length === 0) return false;
  if (!mayBe) throw new PlatformError(`only ADD takes an address, and without --from: ${addresses[0]}`);
  if (addresses.length < sources.length) {
    throw new PlatformError("an ADD takes either addresses or files of the context", { hint: "write two of them" });
  }
  for (const address of addresses) if (!URL.canParse(address)) throw new PlatformError(`${address} is no address`);
  return true;
}

function checksumOf(text: string, sources: readonly string[]): string {
  if (!/^sha256:[0-9a-f]{64}$/.test(text)) throw new PlatformError(`--checksum takes sha256:DIGEST, not ${text}`);
  if (sources.length !== 1 || !sources.every(isAddress)) {
    throw new PlatformError("--checksum is for the one address of an ADD");
  }
  return text;
}

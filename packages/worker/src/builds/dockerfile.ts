/** The lines of a Dockerfile as instructions; a library reads the syntax, and this says what of it there is here. Pure. */
import { PlatformError } from "@lydian/kit";
import {
  type Copy,
  DockerfileParser,
  type Env,
  type Instruction as Parsed,
  ModifiableInstruction,
  type Run,
} from "dockerfile-ast";

import { splitWords } from "./words.ts";

/** A command is words for the kernel, or a text for the shell. */
export type Command = readonly string[] | string;

/** Words and values are as they stand: not expanded, with their quotes. */
export type Instruction =
  | { readonly kind: "from"; readonly image: string; readonly name: string | undefined }
  | { readonly kind: "run"; readonly command: Command }
  | {
      readonly kind: "copy";
      /** ADD: archives are unpacked and addresses fetched. */
      readonly isAdd: boolean;
      readonly sources: readonly string[];
      readonly target: string;
      readonly from: string | undefined;
      readonly chown: string | undefined;
      readonly chmod: string | undefined;
      readonly checksum: string | undefined;
    }
  | { readonly kind: "env"; readonly pairs: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: "arg"; readonly name: string; readonly value: string | undefined }
  | { readonly kind: "workdir" | "user"; readonly value: string }
  | { readonly kind: "shell"; readonly words: readonly string[] }
  | { readonly kind: "entrypoint" | "cmd"; readonly command: Command }
  /** Has no meaning here. */
  | { readonly kind: "ignored" };

/** As it stands in the file, with where it begins (from 1). */
export type Located = Instruction & { readonly line: number; readonly text: string };

/** They say how others are to use the image, or what nobody does any more. */
const ignored = new Set(["EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "STOPSIGNAL", "VOLUME"]);

export function parseDockerfile(lines: readonly string[]): Located[] {
  const text = lines.join("\n");
  const parsed = DockerfileParser.parse(text);
  const instructions = parsed.getInstructions().map((instruction): Located => {
    const line = instruction.getRange().start.line + 1;
    try {
      return { ...read(instruction), line, text: textOf(instruction) };
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      throw new PlatformError(`Dockerfile line ${line}: ${error.message}`, { cause: error });
    }
  });
  const first = instructions.find(({ kind }) => kind !== "arg");
  if (first?.kind !== "from") throw new PlatformError("the Dockerfile does not begin with FROM");
  return instructions;
}

/** As it stands, in one line. */
function textOf(parsed: Parsed): string {
  const flags = parsed instanceof ModifiableInstruction ? parsed.getFlags().map((flag) => `${flag.toString()} `) : [];
  return `${parsed.getKeyword()} ${flags.join("")}${joined(parsed.getRawArgumentsContent() ?? "").replaceAll(/\s*\n\s*/g, " ")}`;
}

function read(parsed: Parsed): Instruction {
  const keyword = parsed.getKeyword();
  const rest = (parsed.getRawArgumentsContent() ?? "").trim();
  if (ignored.has(keyword)) return { kind: "ignored" };
  if (rest === "") throw new PlatformError(`${keyword} has no arguments`);
  switch (keyword) {
    case "FROM":
      return readFrom(parsed);
    case "RUN":
      return { kind: "run", command: commandOf(rest, hasHeredoc(parsed)) };
    case "COPY":
    case "ADD":
      return readCopy(parsed as Copy, keyword, rest);
    case "ENV":
      return {
        kind: "env",
        pairs: (parsed as Env).getProperties().map((each) => [each.getName(), each.getUnescapedValue() ?? ""]),
      };
    case "ARG": {
      const [name = "", ...value] = rest.split("=");
      return { kind: "arg", name, value: value.length === 0 ? undefined : value.join("=") };
    }
    case "WORKDIR":
      return { kind: "workdir", value: rest };
    case "USER":
      return { kind: "user", value: rest };
    case "SHELL": {
      const words = jsonWords(rest);
      if (words === undefined || words.length === 0)
        throw new PlatformError('SHELL takes a list such as ["/bin/bash", "-c"]');
      return { kind: "shell", words };
    }
    case "ENTRYPOINT":
      return { kind: "entrypoint", command: commandOf(rest, false) };
    case "CMD":
      return { kind: "cmd", command: commandOf(rest, false) };
    default:
      throw new PlatformError(`${keyword} is no instruction of a Dockerfile`);
  }
}

function readFrom(parsed: Parsed): Instruction {
  const [image = "", as, name, ...more] = parsed.getArguments().map((argument) => argument.getValue());
  const isNamed = as?.toUpperCase() === "AS" && name !== undefined;
  if (more.length > 0 || (as !== undefined && !isNamed))
    throw new PlatformError("FROM is read as FROM IMAGE [AS NAME]");
  const platform = flagOf(parsed as ModifiableInstruction, "platform");
  if (platform !== undefined && !platform.startsWith("$") && !/^linux\/(amd64|x86_64|arm64)/.test(platform)) {
    throw new PlatformError(`images for ${platform} cannot be made here`);
  }
  return { kind: "from", image, name: isNamed ? name.toLowerCase() : undefined };
}

function readCopy(parsed: Copy, keyword: string, rest: string): Instruction {
  if (hasHeredoc(parsed)) throw new PlatformError(`${keyword} of a here-document is not supported`);
  const words = jsonWords(rest) ?? splitWords(joined(rest));
  const target = words.at(-1);
  if (target === undefined || words.length < 2) throw new PlatformError(`${keyword} needs a source and a target`);
  return {
    kind: "copy",
    isAdd: keyword === "ADD",
    sources: words.slice(0, -1),
    target,
    from: flagOf(parsed, "from"),
    chown: flagOf(parsed, "chown"),
    chmod: flagOf(parsed, "chmod"),
    checksum: flagOf(parsed, "checksum"),
  };
}

function flagOf(parsed: ModifiableInstruction, name: string): string | undefined {
  return (
    parsed
      .getFlags()
      .find((flag) => flag.getName() === name)
      ?.getValue() ?? undefined
  );
}

const hasHeredoc = (parsed: Parsed): boolean => (parsed as Run).getHeredocs().length > 0;

/** A list of words in JSON is that list; else it is for the shell, its lines joined as the file says. */
function commandOf(text: string, isHeredoc: boolean): Command {
  return jsonWords(text) ?? (isHeredoc ? text : joined(text));
}

function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(joined(text));
    return Array.isArray(value) && value.every((word) => typeof word === "string") ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // Docker takes it for a text as well
    throw error;
  }
}

/** Lines that end with a backslash go on in the next one; comments between them are none of the command. */
function joined(text: string): string {
  const lines = text.split("\n").filter((line, index) => index === 0 || !/^\s*(#|$)/.test(line));
  return lines.map((line, index) => (index === lines.length - 1 ? line : line.replace(/\\\s*$/, ""))).join("");
}

/** Options that several commands have, and how values of options are read. */
import { type LimitsInput, limitsSchema, type TimesInput, timesSchema } from "@lydian/server";
import { publicRegistry, type RegistrySettings, registrySettingsSchema } from "@lydian/worker";
import { InvalidArgumentError, Option } from "commander";

import { runtimeNames, usualRuntime } from "../runtime-choice.ts";

export function dataOption(): Option {
  return new Option(
    "--data <folder>",
    "the platform's data folder (default: /var/lib/lydian as root, else ~/.local/share/lydian)",
  );
}

export function jsonOption(): Option {
  return new Option("--json", "print JSON");
}

export function runtimeOption(): Option {
  return new Option("--runtime <runtime>", "what runs functions: runc in containers; process without isolation")
    .choices(runtimeNames)
    .default(usualRuntime);
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("A port is a number from 0 to 65535.");
}

export function parseMebibytes(text: string): number {
  const amount = Number(text);
  if (/^\d{1,9}$/.test(text) && amount > 0) return amount;
  throw new InvalidArgumentError("It has to be a number of MiB, such as 2048.");
}

/** Answers milliseconds. */
export function parseAge(text: string): number {
  const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * units[unit as keyof typeof units];
  throw new InvalidArgumentError("It has to be a number with s, m, h or d, such as 30m.");
}

/** Of the lines of a list. */
export function parseLimit(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0 && count <= 10_000) return count;
  throw new InvalidArgumentError("It has to be a number from 1 to 10000.");
}

export function parseCount(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It has to be a number from 0 to 999.");
}

/** Reads some of the server's times, in milliseconds, such as {"appExpiry":60000}. */
export function parseTimes(text: string): TimesInput {
  return parseSettings(text, timesSchema, '{"appExpiry":60000}');
}

/** Reads some of the server's limits, such as {"appContainers":8}. */
export function parseLimits(text: string): LimitsInput {
  return parseSettings(text, limitsSchema, '{"appContainers":8}');
}

interface Settings<Value> {
  shape: object;
  strict(): { parse(value: unknown): Value };
}

function parseSettings<Value>(text: string, schema: Settings<Value>, example: string): Value {
  try {
    return schema.strict().parse(JSON.parse(text));
  } catch (error) {
    const known = Object.keys(schema.shape).join(", ");
    const reason = error instanceof SyntaxError ? "it is no JSON" : "a name or a value is wrong";
    throw new InvalidArgumentError(`It has to be JSON like ${example}, but ${reason}. The names: ${known}.`);
  }
}

/** Said instead of registries. */
export const noRegistry = "none";

export function registryOption(): Option {
  return new Option(
    "--registry <places>",
    "where base images are pulled from: URL instead of the public registry, HOST=URL instead of another one, several " +
      "with commas between them; none: images are made on this machine",
  )
    .env("LYDIAN_REGISTRY")
    .default({ mirrors: {} } satisfies RegistrySettings, "every registry itself")
    .argParser(parseRegistries);
}

export function packageSettingsOption(): Option {
  return new Option(
    "--package-settings <on|off>",
    "whether builds inherit this machine's settings of apt, pip, uv, npm, proxies and certificates",
  )
    .choices(["on", "off"])
    .default("on");
}

/** Of one host several places may be given, which are asked in this order. */
export function parseRegistries(text: string): RegistrySettings | typeof noRegistry {
  if (text === noRegistry) return noRegistry;
  const mirrors: Record<string, string[]> = {};
  for (const part of text.split(",")) {
    const [, host = publicRegistry, place = ""] = /^(?:([^=/]+)=)?(.*)$/.exec(part.trim()) ?? [];
    (mirrors[host.toLowerCase()] ??= []).push(place.replace(/\/+$/, ""));
  }
  const settings = registrySettingsSchema.safeParse({ mirrors });
  if (settings.success) return settings.data;
  throw new InvalidArgumentError(
    "It has to be none, or http(s)://HOST[:PORT][/PREFIX] or HOST=http(s)://..., with commas between several.",
  );
}

/** Answers the address without a slash at its end. */
export function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.pathname === "/" &&
    url.search === "" &&
    url.hash === ""
  ) {
    return url.origin;
  }
  throw new InvalidArgumentError("It has to be http(s)://HOST[:PORT] without a path.");
}

/** Which public images can be made on this host where no registry gives them, by name. Pure: making them is elsewhere. */
import type { Release } from "./debian.ts";
import { publicRegistry, type Reference } from "./reference.ts";

/** What to make for a name. */
export type OfflineImage =
  | { readonly kind: "debian"; readonly codename: string; readonly shell: string }
  | {
      readonly kind: "python";
      /** The minor version, such as "3.12". */
      readonly python: string;
      /** The whole version, where the name has one. */
      readonly version: string | undefined;
      /** Of the system below. */
      readonly codename: string;
      /** The release that the name asks for, where it does. */
      readonly asked: string | undefined;
    }
  /** `version`: absent for the newest. */
  | { readonly kind: "uv"; readonly version: string | undefined };

/** In a sentence, for those who ask for another one. */
export const whatIsMadeHere =
  "python:3.X[-slim][-RELEASE], debian:RELEASE[-slim] or ubuntu:RELEASE of this host's kind, ghcr.io/astral-sh/uv, scratch";

/** The releases of Debian, the oldest first; those that are made here are at least as new as the host's own, or known. */
const debians = ["bullseye", "bookworm", "trixie"];
const debianNumbers = new Map([
  ["12", "bookworm"],
  ["13", "trixie"],
]);
const ubuntuNumbers = new Map([
  ["22.04", "jammy"],
  ["24.04", "noble"],
]);

export function offlineImage(reference: Reference, host: Release): OfflineImage | undefined {
  const { registry, repository, tag, digest } = reference;
  if (digest !== undefined || tag === undefined) return undefined; // that very image, and no other
  switch (`${registry}/${repository}`) {
    case `${publicRegistry}/library/python`:
      return python(tag, host);
    case `${publicRegistry}/library/debian`:
      return debian(tag, host);
    case `${publicRegistry}/library/ubuntu`:
      return ubuntu(tag, host);
    case "ghcr.io/astral-sh/uv":
      return uv(tag);
    default:
      return undefined;
  }
}

function python(tag: string, host: Release): OfflineImage | undefined {
  const match = /^(?<minor>3\.\d{1,2})(?<patch>\.\d+)?(?:-slim)?(?:-(?<asked>[a-z]+))?$/.exec(tag);
  if (match?.groups === undefined) return undefined;
  const { minor = "", patch, asked } = match.groups;
  if (asked !== undefined && !debians.includes(asked)) return undefined; // another family, such as alpine
  const version = patch === undefined ? undefined : minor + patch;
  return { kind: "python", python: minor, version, asked, codename: newer(asked, host.codename) };
}

/** An interpreter of the host runs on no older C library than its own. */
function newer(asked: string | undefined, host: string): string {
  return asked !== undefined && debians.includes(host) && debians.indexOf(asked) > debians.indexOf(host) ? asked : host;
}

function debian(tag: string, host: Release): OfflineImage | undefined {
  const { named } = /^(?<named>[a-z]+|\d+)(?:\.\d+)?(?:-\d{8})?(?:-slim)?$/.exec(tag)?.groups ?? {};
  const codename = debianNumbers.get(named ?? "") ?? named ?? "";
  const isMade = debians.includes(host.codename) && [...debianNumbers.values()].includes(codename);
  return isMade ? { kind: "debian", codename, shell: "bash" } : undefined;
}

function ubuntu(tag: string, host: Release): OfflineImage | undefined {
  const { named = "" } = /^(?<named>[a-z]+|\d+\.\d+)(?:-\d{8})?$/.exec(tag)?.groups ?? {};
  const codename = ubuntuNumbers.get(named) ?? named;
  if (codename !== host.codename || debians.includes(codename)) return undefined;
  return { kind: "debian", codename, shell: "/bin/bash" };
}

function uv(tag: string): OfflineImage | undefined {
  if (tag === "latest") return { kind: "uv", version: undefined };
  return /^\d+\.\d+\.\d+$/.test(tag) ? { kind: "uv", version: tag } : undefined;
}

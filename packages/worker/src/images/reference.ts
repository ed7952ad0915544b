/** Names of images, read as every client of registries reads them: what is left out is the public registry's. */
import { PlatformError } from "@lydian/kit";

export interface Reference {
  /** The registry's host, with a port where one was given; "docker.io" is the public one. */
  readonly registry: string;
  readonly repository: string;
  /** "latest" where neither a tag nor a digest was given. */
  readonly tag: string | undefined;
  /** Such as "sha256:…"; where there is one, it decides and the tag does not. */
  readonly digest: string | undefined;
}

export const publicRegistry = "docker.io";

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const isRepository = new RegExp(`^${component}(?:/${component})*$`);
const isTag = /^\w[\w.-]{0,127}$/;
const isDigest = /^sha256:[0-9a-f]{64}$/;
const isHost = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?$/i;

/** Throws a PlatformError that says what is wrong with it. */
export function parseReference(text: string): Reference {
  const [named = "", digest, ...more] = text.split("@");
  if (more.length > 0) throw malformed(text, "it has more than one @");
  if (digest !== undefined && !isDigest.test(digest)) {
    throw malformed(text, "only digests by sha256 are known: sha256: and 64 hexadecimal digits");
  }
  const slash = named.lastIndexOf("/");
  const colon = named.indexOf(":", slash + 1);
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !isTag.test(tag)) throw malformed(text, `${JSON.stringify(tag)} is no tag`);
  const [first = "", ...rest] = path.split("/");
  const hasHost = rest.length > 0 && (/[.:A-Z[]/.test(first) || first === "localhost");
  if (hasHost && !isHost.test(first)) throw malformed(text, `${JSON.stringify(first)} is no host of a registry`);
  const host = hasHost ? first.toLowerCase() : publicRegistry;
  const registry = /^(?:index\.|registry-1\.)?docker\.io$/.test(host) ? publicRegistry : host;
  const given = hasHost ? rest.join("/") : path;
  const repository = registry === publicRegistry && !given.includes("/") ? `library/${given}` : given;
  if (!isRepository.test(repository) || repository.length > 255) {
    throw malformed(text, "a repository's name has lower case letters, digits, and single separators between them");
  }
  return { registry, repository, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

/** The whole name; equal for all ways to write it. */
export function nameOf({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function malformed(text: string, why: string): PlatformError {
  return new PlatformError(`${JSON.stringify(text)} is no name of an image: ${why}`, {
    hint: "it looks like [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], such as python:3.12-slim",
  });
}

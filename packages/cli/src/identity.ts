/**
 * Who the owner is: one token per data folder, kept in profile.toml, which is a configuration file of the public clients
 * (`MODAL_CONFIG_PATH=profile.toml modal run …`). It is on disk before the server hears of the token, so that no end of
 * any process can lose it.
 */
import { createHash } from "node:crypto";
import { chmod, chown, readFile, stat } from "node:fs/promises";
import { userInfo } from "node:os";

import { PlatformError, hasCode, messageOf, randomText, writeDurably } from "@lydian/kit";
import { type TomlTable, parse, stringify } from "smol-toml";

import { isRoot } from "./paths.ts";

/** Of a user and its group. */
export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/** The profile's name in files that we write. */
export const profileName = "lydian";

export interface Profile {
  /** The platform's address, without a slash at the end. */
  readonly serverUrl: string;
  readonly tokenId: string;
  readonly tokenSecret: string;
}

/** The profile in the clients' own words. */
export function profileTable(profile: Profile): TomlTable {
  return {
    server_url: profile.serverUrl,
    token_id: profile.tokenId,
    token_secret: profile.tokenSecret,
    active: true,
  };
}

/**
 * Creates the token on the first start; later only follows a change of the address. `owner` alone may read the file;
 * without one, this process's user.
 */
export async function ensureProfile(file: string, serverUrl: string, owner?: UserIds): Promise<Profile> {
  const known = await readProfile(file);
  const profile: Profile = {
    tokenId: known?.tokenId ?? `ak-${randomText(22)}`,
    tokenSecret: known?.tokenSecret ?? `as-${randomText(22)}`,
    serverUrl,
  };
  if (known?.serverUrl !== serverUrl) {
    await writeDurably(file, stringify(await withOwn(file, known, profile)), 0o600);
  } else if (((await stat(file)).mode & 0o777) !== 0o600) {
    await chmod(file, 0o600);
  }
  if (owner !== undefined) await chown(file, owner.uid, owner.gid);
  return profile;
}

/** The whole file: of what else is in it nothing changes. */
async function withOwn(file: string, known: Profile | undefined, profile: Profile): Promise<TomlTable> {
  if (known === undefined) return { [profileName]: profileTable(profile) };
  const tables = parseTables(await readFile(file, "utf8"), file);
  const name = ownName(tables);
  return { ...tables, [name]: { ...tables[name], server_url: profile.serverUrl } };
}

/** Undefined when there is no file; a PlatformError when it holds no token. */
export async function readProfile(file: string): Promise<Profile | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    if (!hasCode(error, "EACCES")) throw error;
    throw new PlatformError(`this user may not read ${file}`, {
      hint: "run it as the user who started the platform, or with sudo",
      cause: error,
    });
  }
  const tables = parseTables(text, file);
  const profile = profileIn(tables[ownName(tables)]);
  if (profile !== undefined) return profile;
  throw new PlatformError(`${file} holds no profile with server_url, token_id and token_secret`, {
    hint: "restore it, or move it away: the next start makes a new token, and profiles with the old one stop working",
  });
}

/** Undefined when the table does not say all of it. */
export function profileIn(table: TomlTable | undefined): Profile | undefined {
  const [serverUrl, tokenId, tokenSecret] = [table?.["server_url"], table?.["token_id"], table?.["token_secret"]];
  const isWhole = typeof serverUrl === "string" && typeof tokenId === "string" && typeof tokenSecret === "string";
  return isWhole ? { serverUrl, tokenId, tokenSecret } : undefined;
}

/** A configuration file of the clients: one table per profile. */
export function parseTables(text: string, file: string): Record<string, TomlTable> {
  let tables: TomlTable;
  try {
    tables = parse(text);
  } catch (error) {
    throw new PlatformError(`${file} is not valid TOML: ${messageOf(error)}`, {
      hint: "repair it, or move it away",
      cause: error,
    });
  }
  const stray = Object.keys(tables).find((name) => !isTable(tables[name]));
  if (stray === undefined) return tables as Record<string, TomlTable>;
  throw new PlatformError(`${file} has the key \`${stray}\` outside of a profile`, {
    hint: "repair it, or move it away",
  });
}

function isTable(value: TomlTable[string] | undefined): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Date);
}

/** The clients write profiles of their own into the file too (`modal token set`), and make them the active one. */
function ownName(tables: Record<string, TomlTable>): string {
  return profileName in tables ? profileName : (Object.keys(tables)[0] ?? profileName);
}

/** What the server is told of the token: it never sees the secret itself. */
export function ownerToken(profile: Profile): { id: string; secretSha256: string } {
  return { id: profile.tokenId, secretSha256: createHash("sha256").update(profile.tokenSecret).digest("hex") };
}

/** Who had root start the platform by sudo: it is theirs to use. */
export function sudoUser(env: NodeJS.ProcessEnv): UserIds | undefined {
  const [uid, gid] = [Number(env["SUDO_UID"]), Number(env["SUDO_GID"])];
  return isRoot() && uid > 0 && gid > 0 ? { uid, gid } : undefined;
}

/** Part of host names, where two dashes separate it from the app's name. */
export function isWorkspaceName(name: string): boolean {
  return /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name) && name.length <= 40;
}

/** The login name, made into a workspace's name. */
export function workspaceFor(login: string): string {
  const clean = login
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replaceAll(/^-|-$/g, "");
  return clean === "" ? "lydian" : clean;
}

/** Empty for a user id without an entry in the system's list of users, as in some containers. */
export function loginName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if (hasCode(error, "ERR_SYSTEM_ERROR", "ENOENT")) return "";
    throw error;
  }
}

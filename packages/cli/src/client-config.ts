/** The public clients' configuration file (~/.modal.toml): other profiles in it are kept as they are. */
import { readFile, realpath } from "node:fs/promises";

import { PlatformError, hasCode, messageOf, writeDurably } from "@lydian/kit";
import { type TomlTable, stringify } from "smol-toml";

import { type Profile, parseTables, profileTable } from "./identity.ts";

export interface ClientConfig {
  /** The file itself, behind any links. */
  readonly file: string;
  /** One table per profile; empty when there is no file. */
  readonly tables: Readonly<Record<string, TomlTable>>;
}

export async function readClientConfig(file: string): Promise<ClientConfig> {
  try {
    // People link the file to where they keep their settings; a rename must not replace the link.
    const target = await realpath(file);
    return { file: target, tables: parseTables(await readFile(target, "utf8"), file) };
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return { file, tables: {} };
    if (!hasCode(error, "EACCES", "EISDIR")) throw error;
    throw new PlatformError(`cannot read ${file}: ${messageOf(error)}`, {
      hint: "repair it, or name another with MODAL_CONFIG_PATH",
      cause: error,
    });
  }
}

/** The profile that the clients use when nothing else is said. */
export function activeName(config: ClientConfig): string | undefined {
  return Object.keys(config.tables).find((name) => config.tables[name]?.["active"] === true);
}

/**
 * How a table stands to what we would write into it. `moved`: the same token at another address, which is the same
 * platform; `other`: somebody else's.
 */
export type Relation = "absent" | "same" | "moved" | "other";

export function relationOf(table: TomlTable | undefined, profile: Profile): Relation {
  if (table === undefined) return "absent";
  const { server_url: url, token_id: id, token_secret: secret } = table;
  if (id !== profile.tokenId || secret !== profile.tokenSecret) {
    return url === undefined && id === undefined && secret === undefined ? "absent" : "other";
  }
  return url === profile.serverUrl ? "same" : "moved";
}

/** Puts the profile into the file, keeps the table's other keys, and makes it the only active one. */
export async function writeClientConfig(config: ClientConfig, name: string, profile: Profile): Promise<void> {
  const tables: Record<string, TomlTable> = {};
  for (const [other, table] of Object.entries(config.tables)) {
    const { active: _active, ...rest } = table;
    tables[other] = rest;
  }
  tables[name] = { ...tables[name], ...profileTable(profile) };
  try {
    await writeDurably(config.file, stringify(tables), 0o600);
  } catch (error) {
    if (!hasCode(error, "EACCES", "EROFS", "EPERM", "ENOSPC")) throw error;
    throw new PlatformError(`cannot write ${config.file}: ${messageOf(error)}`, {
      hint: "name another with MODAL_CONFIG_PATH",
      cause: error,
    });
  }
}

/**
 * Which platform, and as whom: from the environment, else from the file of the public clients. MODAL_SERVER_URL,
 * MODAL_TOKEN_ID, MODAL_TOKEN_SECRET and MODAL_ENVIRONMENT win over the profile that MODAL_PROFILE names, or the active one,
 * in MODAL_CONFIG_PATH or ~/.modal.toml.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { hasCode, messageOf } from "@lydian/kit/errors";
import { parse } from "smol-toml";

import { AuthError, InvalidError } from "../errors.ts";

export interface Profile {
  /** One address, or several with commas between them, which are tried in turn: http://HOST:PORT, https://HOST:PORT, unix:/PATH. */
  readonly serverUrl: string;
  /** Absent inside of a container, whose connection says who it is. */
  readonly token: { readonly id: string; readonly secret: string } | undefined;
  /** Whose names are looked up; empty for the platform's own default. */
  readonly environment: string;
}

export function readProfile(env: NodeJS.ProcessEnv = process.env): Profile {
  const inContainer = env["MODAL_IS_REMOTE"] === "1";
  const table = inContainer ? {} : tableOf(env);
  const setting = (name: string): string => {
    const written = table[name];
    return env[`MODAL_${name.toUpperCase()}`] || (typeof written === "string" ? written : "");
  };
  const serverUrl = setting("server_url");
  const environment = setting("environment");
  if (serverUrl === "") {
    throw new InvalidError("no platform is configured", {
      hint: "run `lydian setup` beside a platform that runs, or set MODAL_SERVER_URL, MODAL_TOKEN_ID and MODAL_TOKEN_SECRET",
    });
  }
  if (inContainer) return { serverUrl, token: undefined, environment };
  const [id, secret] = [setting("token_id"), setting("token_secret")];
  if (id === "" || secret === "") {
    throw new AuthError(`there is no token for ${serverUrl}`, {
      hint: "run `lydian setup`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET",
    });
  }
  return { serverUrl, token: { id, secret }, environment };
}

type Table = Readonly<Record<string, unknown>>;

function tableOf(env: NodeJS.ProcessEnv): Table {
  const file = env["MODAL_CONFIG_PATH"] || join(homedir(), ".modal.toml");
  const tables = tablesIn(file);
  const name = env["MODAL_PROFILE"];
  if (name === undefined || name === "") {
    return Object.values(tables).find((table) => table["active"] === true) ?? tables["default"] ?? {};
  }
  const table = tables[name];
  if (table !== undefined) return table;
  throw new InvalidError(`${file} has no profile ${JSON.stringify(name)}`, {
    hint: `MODAL_PROFILE names it; there are: ${Object.keys(tables).join(", ") || "none"}`,
  });
}

function tablesIn(file: string): Record<string, Table> {
  try {
    return parse(readFileSync(file, "utf8")) as Record<string, Table>; // a key outside of all tables is none of ours
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return {};
    throw new InvalidError(`${file} cannot be read: ${messageOf(error)}`, {
      hint: "repair it, or name another with MODAL_CONFIG_PATH",
      cause: error,
    });
  }
}

/** SQL of the workspace, its environments, and tokens. */
import type { DatabaseSync } from "node:sqlite";

import type { Environment, Identity, Token, TokenRequest, Workspace } from "../domain/stored.ts";
import { type Nullable, orNull, orUndefined, prepare } from "./sql.ts";

type TokenRow = Omit<Token, "expiresAt" | "isDisabled"> & { expiresAt: Nullable<number>; isDisabled: number };
type RequestRow = Omit<TokenRequest, "lifetime" | "grantedName"> & {
  lifetime: Nullable<number>;
  grantedName: Nullable<string>;
};

export function identityIn(database: DatabaseSync): Identity {
  const workspace = prepare<Workspace>(
    database,
    `SELECT id, name, default_environment_id AS defaultEnvironmentId FROM workspaces LIMIT 1`,
  );
  const putWorkspace = prepare(
    database,
    `INSERT INTO workspaces (id, name, default_environment_id) VALUES (:id, :name, :defaultEnvironmentId)
     ON CONFLICT (id) DO UPDATE SET name = :name, default_environment_id = :defaultEnvironmentId`,
  );
  const environments = prepare<Environment>(
    database,
    `SELECT id, name, web_suffix AS webSuffix, created_at AS createdAt FROM environments
     WHERE deleted_at IS NULL ORDER BY id`,
  );
  const putEnvironment = prepare(
    database,
    `INSERT INTO environments (id, name, web_suffix, created_at) VALUES (:id, :name, :webSuffix, :createdAt)
     ON CONFLICT (id) DO UPDATE SET name = :name, web_suffix = :webSuffix`,
  );
  // No environment that somebody makes can have a name with a blank in it.
  const deleteEnvironment = prepare(
    database,
    `UPDATE environments SET name = 'deleted ' || id, deleted_at = :now WHERE id = :id`,
  );
  return {
    workspace: async () => workspace.one(),
    putWorkspace: async (value) => void putWorkspace.run({ ...value }),
    environments: async () => environments.all(),
    putEnvironment: async (value) => void putEnvironment.run({ ...value }),
    deleteEnvironment: async (id, now) => void deleteEnvironment.run({ id, now }),
    ...tokensIn(database),
    ...requestsIn(database),
  };
}

function tokensIn(database: DatabaseSync): Pick<Identity, "token" | "tokens" | "putToken" | "removeToken"> {
  const columns = `id, name, secret_sha256 AS secretSha256, created_at AS createdAt, expires_at AS expiresAt,
    is_disabled AS isDisabled`;
  const get = prepare<TokenRow>(database, `SELECT ${columns} FROM tokens WHERE id = :id`);
  const all = prepare<TokenRow>(database, `SELECT ${columns} FROM tokens ORDER BY created_at, id`);
  const put = prepare(
    database,
    `INSERT INTO tokens (id, name, secret_sha256, created_at, expires_at, is_disabled)
     VALUES (:id, :name, :secretSha256, :createdAt, :expiresAt, :isDisabled)
     ON CONFLICT (id) DO UPDATE SET name = :name, secret_sha256 = :secretSha256, expires_at = :expiresAt,
       is_disabled = :isDisabled`,
  );
  const remove = prepare(database, `DELETE FROM tokens WHERE id = :id`);
  const toToken = (row: TokenRow): Token => ({
    ...row,
    expiresAt: orUndefined(row.expiresAt),
    isDisabled: row.isDisabled === 1,
  });
  return {
    token: async (id) => {
      const row = get.one({ id });
      return row && toToken(row);
    },
    tokens: async () => all.all().map(toToken),
    putToken: async (token) =>
      void put.run({ ...token, expiresAt: orNull(token.expiresAt), isDisabled: Number(token.isDisabled) }),
    removeToken: async (id) => void remove.run({ id }),
  };
}

function requestsIn(
  database: DatabaseSync,
): Pick<Identity, "tokenRequest" | "tokenRequests" | "putTokenRequest" | "removeTokenRequest"> {
  const columns = `id, code, wait_sha256 AS waitSha256, created_at AS createdAt, lifetime, tries, granted_name AS grantedName`;
  const get = prepare<RequestRow>(database, `SELECT ${columns} FROM token_requests WHERE id = :id`);
  const all = prepare<RequestRow>(database, `SELECT ${columns} FROM token_requests ORDER BY created_at, id`);
  const put = prepare(
    database,
    `INSERT INTO token_requests (id, code, wait_sha256, created_at, lifetime, tries, granted_name)
     VALUES (:id, :code, :waitSha256, :createdAt, :lifetime, :tries, :grantedName)
     ON CONFLICT (id) DO UPDATE SET tries = :tries, granted_name = :grantedName`,
  );
  const remove = prepare(database, `DELETE FROM token_requests WHERE id = :id`);
  const toRequest = (row: RequestRow): TokenRequest => ({
    ...row,
    lifetime: orUndefined(row.lifetime),
    grantedName: orUndefined(row.grantedName),
  });
  return {
    tokenRequest: async (id) => {
      const row = get.one({ id });
      return row && toRequest(row);
    },
    tokenRequests: async () => all.all().map(toRequest),
    putTokenRequest: async (request) =>
      void put.run({ ...request, lifetime: orNull(request.lifetime), grantedName: orNull(request.grantedName) }),
    removeTokenRequest: async (id) => void remove.run({ id }),
  };
}

/** SQL of the addresses of web functions, and of the tokens that open guarded ones. */
import type { DatabaseSync } from "node:sqlite";

import type { ProxyTokens, WebAddresses } from "../domain/store.ts";
import type { ProxyToken } from "../domain/stored.ts";
import type { WebAddress } from "../domain/web-address.ts";
import { prepare } from "./sql.ts";

type Row = Omit<WebAddress, "guarded"> & { guarded: number };

export function webAddressesIn(database: DatabaseSync): WebAddresses {
  const get = prepare<Row>(
    database,
    `SELECT host, function_id AS functionId, method, guarded FROM web_addresses WHERE host = :host`,
  );
  const put = prepare(
    database,
    `INSERT INTO web_addresses (host, function_id, method, guarded) VALUES (:host, :functionId, :method, :guarded)
     ON CONFLICT (host) DO UPDATE SET function_id = :functionId, method = :method, guarded = :guarded`,
  );
  const removeOf = prepare(database, `DELETE FROM web_addresses WHERE function_id = :functionId`);
  return {
    get: async (host) => {
      const row = get.one({ host });
      return row && { ...row, guarded: row.guarded === 1 };
    },
    put: async (address) => void put.run({ ...address, guarded: Number(address.guarded) }),
    removeOf: async (functionId) => void removeOf.run({ functionId }),
  };
}

export function proxyTokensIn(database: DatabaseSync): ProxyTokens {
  const fields = `id, secret_sha256 AS secretSha256, created_at AS createdAt, name, created_by AS createdBy`;
  const insert = prepare(
    database,
    `INSERT INTO proxy_tokens (id, secret_sha256, created_at, name, created_by)
     VALUES (:id, :secretSha256, :createdAt, :name, :createdBy)`,
  );
  const get = prepare<ProxyToken>(database, `SELECT ${fields} FROM proxy_tokens WHERE id = :id`);
  const all = prepare<ProxyToken>(database, `SELECT ${fields} FROM proxy_tokens ORDER BY created_at, id`);
  const rename = prepare(database, `UPDATE proxy_tokens SET name = :name WHERE id = :id`);
  const remove = prepare(database, `DELETE FROM proxy_tokens WHERE id = :id`);
  return {
    insert: async (token) => void insert.run({ ...token }),
    get: async (id) => get.one({ id }),
    all: async () => all.all(),
    rename: async (id, name) => rename.run({ id, name }) > 0,
    remove: async (id) => remove.run({ id }) > 0,
  };
}

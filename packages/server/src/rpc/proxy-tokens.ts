/** Proxy tokens, which open guarded web functions: `modal workspace proxy-tokens`. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ModalClient, TokenCreateResponseSchema, type WebhookTokenSchema } from "@lydian/contract";

import type { ProxyToken } from "../domain/stored.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { createProxyToken, deleteProxyToken, renameProxyToken } from "../identity/proxy-tokens.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import { once, type Platform, toSeconds } from "./platform.ts";

export function proxyTokenRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, config } = platform;
  return {
    webhookTokenCreate: user(({ name, scoped }, call) => {
      if (scoped) throw fail("unimplemented", "A proxy token is for all environments: leave its scope out.");
      return once(platform, call, TokenCreateResponseSchema, async (tx, context) => {
        const { id, secret } = await createProxyToken(tx, { name, createdBy: config.workspace }, context);
        return { tokenId: id, tokenSecret: secret };
      });
    }),
    webhookTokenList: user(async () => ({ tokens: (await store.read((tx) => tx.proxyTokens.all())).map(toWire) })),
    webhookTokenListForEnvironment: user(({ environmentName }) =>
      store.read(async (tx) => {
        await findEnvironment(tx, environmentName);
        return { tokens: (await tx.proxyTokens.all()).map(toWire) };
      }),
    ),
    webhookTokenUpdate: user(async ({ tokenId, name }) =>
      toWire(await store.write((tx) => renameProxyToken(tx, tokenId, name))),
    ),
    webhookTokenDelete: user(async ({ tokenId }) => {
      await store.write((tx) => deleteProxyToken(tx, tokenId));
      return {};
    }),
  };
}

function toWire({ id, name, createdAt, createdBy }: ProxyToken): MessageInitShape<typeof WebhookTokenSchema> {
  return { tokenId: id, name, createdAt: toSeconds(createdAt), createdBy: { username: createdBy } };
}

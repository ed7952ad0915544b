/** Buckets that functions mount: what is refused when they are defined, and what their containers' workers are told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CloudBucketMount_BucketType as Type, type CloudBucketMountSchema, FunctionSchema$ } from "@lydian/contract";

import { isFail } from "../../src/errors.ts";
import { usedSecrets } from "../../src/functions/definition.ts";
import { checkBuckets, openBuckets } from "../../src/volumes/buckets.ts";
import { getOrCreateSecret } from "../../src/secrets/manage.ts";
import { testStore } from "../support/open-store.ts";
import { plantFunction } from "../support/rows.ts";

type Mount = MessageInitShape<typeof CloudBucketMountSchema>;

const usual: Mount = { bucketName: "data", mountPath: "/data", bucketType: Type.S3 };

const kept = {
  ...{
    creation: "ephemeral" as const,
    name: "",
    environment: "main",
    appId: "",
    requiredKeys: [],
    createdBy: "somebody",
  },
} as const;

async function checked(
  mounts: Mount[],
  secret?: Record<string, string>,
): Promise<Awaited<ReturnType<typeof openBuckets>>> {
  await using test = await testStore();
  await test.vault.prepare();
  return await test.does(async (tx, context) => {
    await plantFunction(tx, context); // and with it the environment
    const made = secret && (await getOrCreateSecret(tx, test.vault, { ...kept, values: secret }, context)).id;
    const cloudBucketMounts = mounts.map((mount) => ({ ...mount, ...(made && { credentialsSecretId: made }) }));
    const definition = create(FunctionSchema$, { cloudBucketMounts });
    await checkBuckets(tx, definition);
    if (made !== undefined) assert.deepEqual(usedSecrets(definition), [made]);
    return await openBuckets(tx, definition, test.vault);
  });
}

describe("a bucket", () => {
  const key = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "key" };

  it("is told to the worker with the keys of its secret, which the function is said to use", async () => {
    const asked = { ...usual, bucketEndpointUrl: "https://store.example.org/", keyPrefix: "a/b/", readOnly: true };
    const [told] = await checked([asked], { ...key, AWS_REGION: "eu-west-1", AWS_SESSION_TOKEN: "for an hour" });
    assert.deepEqual(told, {
      ...{ path: "/data", bucket: "data", prefix: "a/b/", endpoint: "https://store.example.org", region: "eu-west-1" },
      ...{ readOnly: true, requesterPays: false, pathStyle: false },
      credentials: { accessKeyId: "id", secretAccessKey: "key", sessionToken: "for an hour" },
    });
    const google = { GOOGLE_ACCESS_KEY_ID: "gid", GOOGLE_ACCESS_KEY_SECRET: "gkey" };
    const [other] = await checked([{ ...usual, bucketType: Type.GCP }], google);
    assert.equal(other?.credentials?.secretAccessKey, "gkey");
    const [open] = await checked([usual]);
    assert.equal(open?.credentials, undefined);
  });

  const refused: [string, Mount[], Record<string, string>?][] = [
    ["of no name", [{ mountPath: "/data" }]],
    ["of a name that is a path", [{ ...usual, bucketName: "../data" }]],
    ["of a name that says more", [{ ...usual, bucketName: "data:x,endpoint=y" }]],
    ["at no path", [{ ...usual, mountPath: "data" }]],
    ["of a prefix that leads out", [{ ...usual, keyPrefix: "a/../b/" }]],
    ["of a prefix without its slash", [{ ...usual, keyPrefix: "a" }]],
    ["of an endpoint that is none", [{ ...usual, bucketEndpointUrl: "file:///etc" }]],
    ["of an endpoint with a path", [{ ...usual, bucketEndpointUrl: "http://a.example/path" }]],
    ["in another one", [usual, { ...usual, mountPath: "/data/in" }]],
    ["with a secret that has no key", [usual], { OTHER: "x" }],
  ];
  for (const [what, mounts, secret] of refused) {
    it(`${what} is refused`, async () => {
      await assert.rejects(checked(mounts, secret), (error) => isFail(error, "invalidArgument"));
    });
  }
});

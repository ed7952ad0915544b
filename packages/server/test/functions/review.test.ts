/** What a definition asks for that it does not get: refused or warned of, nothing in silence. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { FunctionSchema$, WebhookAsyncMode, WebhookType } from "@lydian/contract";

import { isFail } from "../../src/errors.ts";
import { concessions, refusals, reviewDefinition } from "../../src/functions/review.ts";

const review = (definition: MessageInitShape<typeof FunctionSchema$>): string[] =>
  reviewDefinition(create(FunctionSchema$, { functionName: "f", ...definition }));

const refused: MessageInitShape<typeof FunctionSchema$>[] = [
  { cloudBucketMounts: [{ bucketName: "b", mountPath: "/x", oidcAuthRoleArn: "arn:aws:iam::1:role/r" }] },
  { webhookConfig: { type: WebhookType.FUNCTION, asyncMode: WebhookAsyncMode.TRIGGER } },
  { networkAccess: { allowedDomains: ["example.org"] } },
  { httpConfig: { port: 8000 } },
  { httpConfig: { port: 8000, liftAndShiftConfig: {} }, isServer: true },
];

test("an ordinary definition is neither refused nor warned of", () => {
  assert.deepEqual(review({ timeoutSecs: 5, maxConcurrentInputs: 3, resources: { milliCpu: 100 } }), []);
  assert.deepEqual(review({ webhookConfig: { type: WebhookType.UNSPECIFIED }, experimentalOptions: {} }), []);
});

test("code that would not run as meant is refused, by name and with what it asks for", () => {
  for (const definition of refused) {
    const [field = ""] = Object.keys(definition);
    assert.throws(
      () => review(definition),
      (error) =>
        isFail(error, "unimplemented") &&
        /^Function "f" asks for .*, which this version of Lydian does not/.test(error.message),
      field,
    );
    assert.ok(refusals.some((rule) => rule.field === field));
  }
});

test("code that runs all the same is accepted with a warning that says what happens instead", () => {
  const warnings = review({ checkpointingEnabled: true, rateLimit: { limit: 5 }, experimentalOptions: { x: "1" } });
  assert.equal(warnings.length, 3);
  for (const warning of warnings)
    assert.match(warning, /^Function "f" asks for .*, which Lydian does not have\. [A-Z]/);
});

test("each rule has something to say, and none is there twice", () => {
  for (const { what } of [...refusals, ...concessions]) assert.match(what, /^(a |an |the )?\S/);
  const all = [...refusals, ...concessions].map(({ what }) => what);
  assert.equal(new Set(all).size, all.length);
});

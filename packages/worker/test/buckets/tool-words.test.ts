/** What rclone is told of a bucket. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type BucketMount, listWords, mountWords, toolEnvironment } from "../../src/buckets/tool-words.ts";

const credentials = { accessKeyId: "id", secretAccessKey: "kept", sessionToken: "" };

const bucket = (changes: Partial<BucketMount> = {}): BucketMount =>
  ({
    ...{ path: "/data", bucket: "data", prefix: "", endpoint: "", region: "" },
    ...{ readOnly: false, requesterPays: false, pathStyle: false, credentials, ...changes },
  }) as BucketMount;

const place = { target: "/run/x/mounted", owner: 65_536, logFile: "/run/x/log" };

describe("rclone", () => {
  it("is given keys in its environment alone, where only root can read them", () => {
    const mount = bucket({ prefix: "a/b/", readOnly: true });
    const words = [...mountWords(mount, place), ...listWords(mount)];
    assert.ok(words.includes(":s3:data/a/b") && words.includes("--read-only"));
    assert.ok(words.every((word) => !word.includes("kept")));
    assert.equal(toolEnvironment(mount)["RCLONE_S3_SECRET_ACCESS_KEY"], "kept");
  });

  it("never takes the host's own keys, and signs nothing without any", () => {
    const { credentials: _none, ...open } = bucket();
    const environment = toolEnvironment(open);
    assert.equal(environment["RCLONE_S3_ENV_AUTH"], "false");
    assert.ok(!("RCLONE_S3_ACCESS_KEY_ID" in environment));
  });

  it("is told where the store is, who pays, and how its requests are to look", () => {
    const { RCLONE_S3_PROVIDER: amazon, RCLONE_S3_FORCE_PATH_STYLE: style } = toolEnvironment(bucket());
    assert.deepEqual([amazon, style], ["AWS", "false"]);
    const other = toolEnvironment(bucket({ endpoint: "http://127.0.0.1:9000", region: "home", requesterPays: true }));
    assert.equal(other["RCLONE_S3_PROVIDER"], "Other");
    assert.equal(other["RCLONE_S3_ENDPOINT"], "http://127.0.0.1:9000");
    assert.equal(other["RCLONE_S3_REGION"], "home");
    assert.equal(other["RCLONE_S3_REQUESTER_PAYS"], "true");
    assert.equal(other["RCLONE_S3_FORCE_PATH_STYLE"], "true");
    assert.equal(toolEnvironment(bucket({ pathStyle: true }))["RCLONE_S3_FORCE_PATH_STYLE"], "true");
  });
});

/** Options are read as they are documented, and what makes no sense is refused by its name. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { readFailure } from "../src/calls/outcome.ts";
import { bucketMountsOf, resourcesOf, retryPolicyOf, volumeMountsOf } from "../src/calls/variant.ts";
import {
  App,
  type Client,
  CloudBucketMount,
  Cron,
  forward,
  Image,
  type InvalidError,
  kwargs,
  Period,
  Secret,
} from "../src/index.ts";
import { decodeArguments, encodeArguments } from "../src/values/arguments.ts";
import { mebibytes, seconds } from "../src/duration.ts";
import { version } from "../src/version.ts";
import manifest from "../package.json" with { type: "json" };

it("reads times and sizes", () => {
  assert.deepEqual(
    [seconds(5, "t"), seconds("250ms", "t"), seconds("2h", "t"), seconds("1.5m", "t")],
    [5, 0.25, 7200, 90],
  );
  assert.deepEqual([mebibytes(512, "m"), mebibytes("4GiB", "m"), mebibytes("1TiB", "m")], [512, 4096, 1_048_576]);
  assert.throws(() => seconds("5 m", "timeout"), /timeout is "5 m", and has to be a number of seconds/);
  assert.throws(() => seconds(-1, "timeout"), /timeout is -1/);
});

it("turns resources and retries into the wire's", () => {
  assert.deepEqual(resourcesOf({ cpu: [2, 8], memory: "4GiB" }, "h100:2"), {
    ...{ milliCpu: 2000, milliCpuMax: 8000, memoryMb: 4096, memoryMbMax: 0, ephemeralDiskMb: 0 },
    gpuConfig: { gpuType: "H100", count: 2 },
  });
  assert.throws(() => resourcesOf({ cpu: 0 }, undefined), /cpu is 0/);
  assert.throws(() => resourcesOf({}, "H100:x"), /gpu is "H100:x"/);
  assert.deepEqual(retryPolicyOf(2), { retries: 2, backoffCoefficient: 1, initialDelayMs: 1000, maxDelayMs: 60_000 });
  const retries = { maxRetries: 3, initialDelay: "5s" } as const;
  assert.deepEqual(retryPolicyOf(retries), {
    retries: 3,
    backoffCoefficient: 2,
    initialDelayMs: 5000,
    maxDelayMs: 60_000,
  });
});

it("lets nothing of a package's name into a command", () => {
  assert.throws(() => Image.debianSlim().aptInstall("curl; rm -rf /"), /no name of a package/);
  assert.throws(() => Image.debianSlim().env({ A: "1\n2" }), /line break/);
  assert.throws(() => Image.debianSlim().addLocalFile("a", "/a").runCommands("ls"), /a step comes after files/);
});

it("takes schedules that make sense", () => {
  const cron = new Cron("*/15 * * * *", { timezone: "Europe/Berlin" }).wire.scheduleOneof;
  assert.deepEqual(cron.case === "cron" && [cron.value.cronString, cron.value.timezone], [
    "*/15 * * * *",
    "Europe/Berlin",
  ]);
  const period = new Period({ hours: 4, seconds: 1.5 }).wire.scheduleOneof;
  assert.deepEqual(period.case === "period" && [period.value.hours, period.value.seconds], [4, 1.5]);
  assert.throws(() => new Cron("* * *"), /not the five fields/);
  assert.throws(() => new Period({ hours: -1 }), /hours of a period is -1/);
  assert.throws(() => new Period({}), /takes no time at all/);
});

it("reads what Python threw", () => {
  const traceback = 'Traceback (most recent call last):\n  File "a.py", line 1\nmodule.NoUser: no user 7\n';
  assert.deepEqual(readFailure("NoUser('no user 7')", traceback), {
    name: "NoUser",
    message: "no user 7",
    stack: traceback,
  });
  assert.deepEqual(readFailure("ValueError('x')", ""), { name: "ValueError", message: "x", stack: "" });
  assert.deepEqual(readFailure("The input was cancelled.", ""), { message: "The input was cancelled.", stack: "" });
});

it("mounts buckets by what Modal calls their parts", async () => {
  const client = { ask: async () => ({ secretId: "st-1" }) } as unknown as Client;
  const place = { client, environment: "", appId: "ap-1" };
  const endpoint = "https://1.r2.cloudflarestorage.com";
  const options = { secret: Secret.fromName("r2"), bucketEndpointUrl: endpoint, keyPrefix: "a/", readOnly: true };
  const volumes = { "/plain": new CloudBucketMount("open"), "/data": new CloudBucketMount("mine", options) };
  const [plain, data] = await bucketMountsOf(volumes, place);
  assert.deepEqual([plain?.mountPath, plain?.bucketName, plain?.credentialsSecretId], ["/plain", "open", ""]);
  const { mountPath, bucketType, credentialsSecretId, bucketEndpointUrl, keyPrefix, readOnly } = data ?? {};
  assert.deepEqual([mountPath, credentialsSecretId, bucketEndpointUrl], ["/data", "st-1", endpoint]);
  assert.deepEqual([bucketType, keyPrefix, readOnly], [2, "a/", true]);
  assert.deepEqual(await volumeMountsOf(volumes, place), []);
  assert.throws(() => new CloudBucketMount("mine", { keyPrefix: "a" }), /has to end in "\/"/);
  assert.throws(() => new CloudBucketMount("mine", { requesterPays: true }), /give a secret/);
  await assert.rejects(forward(8000), /this is none/);
});

it("says that an app does not run, and what to do", async () => {
  const app = new App("quiet");
  const hello = app.function({ name: "hello" }, (name: string) => name);
  assert.equal(hello.local("x"), "x");
  await assert.rejects(hello.remote("x"), /app "quiet" is not running, so hello cannot be called/);
  assert.throws(() => new App("a b"), /no name of an app/);
});

it("has the version of its package", () => {
  assert.equal(version, manifest.version);
});

it("refuses an option that there is not, by its name", () => {
  const app = new App("typo");
  const options = { timout: 3 } as object;
  assert.throws(
    () => app.function(options, () => {}),
    /InvalidError: the function at .*options.test.ts:\d+ has no option timout/,
  );
  assert.throws(() => app.webEndpoint({ lable: "a" } as object, () => new Response()), /has no option lable/);
});

it("says which option may have been meant, and of what kind one has to be", () => {
  const app = new App("kinds");
  const hintOf = (work: () => unknown): string | undefined => {
    try {
      work();
    } catch (error) {
      return (error as InvalidError).hint;
    }
    return undefined;
  };
  assert.match(
    hintOf(() => app.function({ timout: 3 } as object, () => {})) ?? "",
    /^did you mean timeout\? There are: /,
  );
  assert.match(
    hintOf(() => app.function({ max_containers: 3 } as object, () => {})) ?? "",
    /^did you mean maxContainers/,
  );
  assert.match(hintOf(() => app.function({ zebra: 3 } as object, () => {})) ?? "", /^there are: /);
  const wrong: [object, RegExp][] = [
    [{ image: "debian:12" }, /image of the function at .* is "debian:12", and has to be an Image/],
    [{ secrets: ["x"] }, /secrets of the function at .* is a list, and has to be a list of secrets/],
    [{ volumes: { "/x": "no" } }, /volumes of .* is an object, and has to be volumes by their paths/],
    [{ schedule: "0 9 * * *" }, /schedule of .* has to be a schedule, such as new Cron/],
    [{ cpu: "2" }, /cpu of .* is "2", and has to be a number of cores/],
  ];
  for (const [options, text] of wrong) assert.throws(() => app.function(options, () => {}), text);
  assert.throws(() => new App("x", { volume: {} } as object), /app "x" has no option volume/);
  const named = app.function({ name: "named", timeout: undefined } as object, () => {});
  assert.throws(() => named.withOptions({ memroy: 4 } as object), /a variant of named has no option memroy/);
});

it("names the argument that cannot travel, and shows the caller's own code alone", async () => {
  assert.throws(
    () => encodeArguments([1, { user: { save: () => 1 } }]),
    (error: Error) => {
      assert.equal(error.message, "arguments[1].user.save is a function");
      assert.match(error.stack ?? "", /^SerializationError: .*\n {4}at .*options\.test\.ts/);
      return true;
    },
  );
  assert.throws(() => encodeArguments([kwargs({ f: () => 1 })]), /kwargs\.f is a function/);
  assert.deepEqual(decodeArguments(encodeArguments([1, kwargs({ scale: 2 })])), [1, { scale: 2 }]);
});

/** Images of a registry that wants credentials: Debian's own, on loopback. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { missingClient, modal, newestClient, Platform, testedClients, usualRuntime } from "@lydian/testkit";

import { dockerArchive, type RealRegistry, registryPrograms, startRegistry } from "../host/images/real-registry.ts";
import { scratchFolder } from "../host/images/scratch.ts";
import { app } from "./stories.ts";

const programs = usualRuntime === "runc" ? await registryPrograms() : "images are made with containers";
const missing = [...testedClients].map(missingClient).find((each) => each !== false);
const skip = typeof programs === "string" ? programs : (missing ?? false);

const password = "open sesame";

/** By bcrypt: that password, for a person and for service accounts. */
const htpasswd = ["ada", "_json_key"]
  .map((name) => `${name}:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n`)
  .join("");

async function registryWithImage(t: TestContext): Promise<RealRegistry> {
  if (typeof programs === "string") throw new Error(programs);
  const folder = await scratchFolder(t);
  await writeFile(join(folder, "htpasswd"), htpasswd);
  const auth = { htpasswd: { realm: "tests", path: join(folder, "htpasswd") } };
  const registry = await startRegistry(t, programs, folder, auth);
  const file = join(folder, "image.tar");
  await dockerArchive(file, ["team/app:1"], [[{ name: "srv/data", content: "x", mode: 0o644 }]]);
  const to = ["--dest-tls-verify=false", "--dest-creds", `ada:${password}`];
  for (const tag of testedClients)
    await registry.skopeo("copy", ...to, `docker-archive:${file}`, `docker://${registry.host}/team/app:${tag}`);
  return registry;
}

test("a private image is made with the credentials of a secret, and refused without", { skip }, async (t) => {
  const { host } = await registryWithImage(t);
  await using platform = await Platform.start({ args: ["--registry", "http://127.0.0.1:9"] }); // nobody else is asked
  const env = { REGISTRY: host, REGISTRY_USERNAME: "ada", REGISTRY_PASSWORD: password };
  for (const version of testedClients) {
    await using run = modal(platform, version, ["run", app("registries.py")], { env });
    assert.match(await run.finishWith(0), /^all are made$/m, version);
  }
  const variables = "REGISTRY_USERNAME,REGISTRY_PASSWORD";
  const pull = [
    "image",
    "pull",
    `${host}/team/app:${newestClient}`,
    "--registry-secret-from-env",
    variables,
    "--force-build",
  ];
  await using pulled = modal(platform, newestClient, pull, { env });
  assert.match(await pulled.finishWith(0), /Pulled 127\.0\.0\.1:\d+\/team\/app:\S+ as im-/);
  assert.ok(!platform.log.includes(password), "no password is in a log");
});

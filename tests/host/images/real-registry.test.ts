import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import type { BaseImage } from "@lydian/worker/src/images/index";
import type { Entry } from "./loopback-registry.ts";
import { dockerArchive, registryPrograms, startRegistry, startTokens } from "./real-registry.ts";
import { imagesIn, needsRoot, scratchFolder, waiter } from "./scratch.ts";

const programs = needsRoot.skip === undefined ? await registryPrograms() : "layers need root";
const options = typeof programs === "string" ? { skip: programs } : { timeout: 60_000 };

const layers: readonly (readonly Entry[])[] = [
  [
    { name: "etc/", type: "directory", mode: 0o755 },
    { name: "etc/motd", content: "lower", mode: 0o644 },
    { name: "etc/gone", content: "x", mode: 0o644 },
  ],
  [
    { name: "etc/.wh.gone", content: "" },
    { name: "srv/data", content: randomBytes(200_000).toString("hex"), mode: 0o640, uid: 33, gid: 44 },
    { name: "srv/again", type: "link", linkname: "srv/data" },
  ],
];
const config = {
  Env: ["PATH=/opt/bin:/bin", "GREETING=a=b"],
  WorkingDir: "/srv",
  User: "33:44",
  Entrypoint: ["/bin/tool"],
  Cmd: ["--serve"],
};

async function stage(t: TestContext, auth?: Record<string, unknown>) {
  if (typeof programs === "string") throw new Error(programs);
  const folder = await scratchFolder(t);
  const registry = await startRegistry(t, programs, folder, auth);
  const file = join(folder, "image.tar");
  await dockerArchive(file, ["team/app:1"], layers, config);
  const registrySettings = { mirrors: {} };
  const images = await imagesIn(join(folder, "host"), { registry: registrySettings });
  return { folder, registry, file, images };
}

async function assertIsImage({ layers: stack, config: found }: BaseImage): Promise<void> {
  assert.deepEqual(found, {
    env: { PATH: "/opt/bin:/bin", GREETING: "a=b" },
    workdir: "/srv",
    user: "33:44",
    entrypoint: ["/bin/tool"],
    cmd: ["--serve"],
  });
  assert.deepEqual(await Promise.all(stack.map(({ diff }) => readdir(diff))), [["etc", "srv"], ["etc"]]);
  const data = await stat(join(stack[0]?.diff ?? "", "srv/data"));
  assert.deepEqual([data.mode & 0o777, data.uid, data.gid, data.size, data.nlink], [0o640, 33, 44, 400_000, 2]);
  assert.ok((await stat(join(stack[0]?.diff ?? "", "etc/gone"))).isCharacterDevice());
  assert.equal(await readFile(join(stack[1]?.diff ?? "", "etc/motd"), "utf8"), "lower");
}

for (const [format, packing] of [
  ["v2s2", "gzip"],
  ["oci", "gzip"],
  ["oci", "zstd"],
] as const) {
  it(`gives an image in the format ${format} packed by ${packing}, by tag and by digest`, options, async (t) => {
    const { registry, file, images } = await stage(t);
    const name = `${registry.host}/team/app:1`;
    const to = ["--dest-tls-verify=false", "--format", format, "--dest-compress-format", packing];
    await registry.skopeo("copy", ...to, `docker-archive:${file}`, `docker://${name}`);
    const image = await images.resolve(name, waiter());
    await assertIsImage(image);
    const raw = await registry.skopeo("inspect", "--tls-verify=false", "--raw", `docker://${name}`);
    assert.match(raw, packing === "zstd" ? /tar\+zstd/ : /tar[.+]gzip/);
    const digest = `sha256:${createHash("sha256").update(raw).digest("hex")}`;
    assert.equal(image.digest, digest);
    const pinned = await images.resolve(`${registry.host}/team/app@${digest}`, waiter());
    assert.deepEqual(pinned, image);
    const other = `${registry.host}/team/app@sha256:${"0".repeat(64)}`;
    await assert.rejects(images.resolve(other, waiter()), /there is no image .*answers 404: manifest unknown/s);
  });
}

it("chooses this machine's image of several, and follows a tag only when it is told to", options, async (t) => {
  const { registry, folder, file, images } = await stage(t);
  const name = `${registry.host}/team/app:1`;
  const second = join(folder, "second.tar");
  await dockerArchive(second, ["x:1"], [[{ name: "second", content: "2", mode: 0o644 }]]);
  const to = ["--dest-tls-verify=false"];
  await registry.skopeo("copy", ...to, `docker-archive:${file}`, `docker://${registry.host}/team/app:one`);
  const raw = Buffer.from(
    await registry.skopeo("inspect", "--tls-verify=false", "--raw", `docker://${registry.host}/team/app:one`),
  );
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
  const digest = `sha256:${createHash("sha256").update(raw).digest("hex")}`;
  const entry = (os: string, arch: string) => ({
    mediaType,
    digest,
    size: raw.length,
    platform: { os, architecture: arch },
  });
  const type = "application/vnd.docker.distribution.manifest.list.v2+json";
  const list = {
    schemaVersion: 2,
    mediaType: type,
    manifests: [entry("windows", architecture), entry("linux", architecture)],
  };
  const put = { method: "PUT", headers: { "content-type": type }, body: JSON.stringify(list) };
  const response = await fetch(`http://${registry.host}/v2/team/app/manifests/1`, put);
  assert.equal(response.status, 201);
  const image = await images.resolve(name, waiter());
  await assertIsImage(image);
  assert.equal(image.digest, digest);
  await registry.skopeo("copy", ...to, `docker-archive:${second}`, `docker://${name}`);
  assert.deepEqual(await images.resolve(name, waiter()), image);
  const fresh = await images.resolve(name, { ...waiter(), refresh: true });
  assert.deepEqual(await readdir(fresh.layers[0]?.diff ?? ""), ["second"]);
  assert.deepEqual(await images.resolve(name, waiter()), fresh);
});

/** By bcrypt, of "open sesame". */
const htpasswd = "ada:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";

it(
  "gives a private image to who has the password, and names who has not, before and after it is here",
  options,
  async (t) => {
    const folder = await scratchFolder(t);
    await writeFile(join(folder, "htpasswd"), htpasswd);
    const { registry, file, images } = await stage(t, { htpasswd: { realm: "tests", path: join(folder, "htpasswd") } });
    const name = `${registry.host}/team/app:1`;
    const to = ["--dest-tls-verify=false", "--dest-creds", "ada:open sesame"];
    await registry.skopeo("copy", ...to, `docker-archive:${file}`, `docker://${name}`);
    await assert.rejects(images.resolve(name, waiter()), /no such image for who does not log in .*REGISTRY_USERNAME/);
    const wrong = { ...waiter(), credentials: { username: "ada", password: "open barley" } };
    await assert.rejects(images.resolve(name, wrong), (error: Error) => {
      assert.match(error.message, /does not accept the credentials of "ada"/);
      return !error.message.includes("barley");
    });
    const right = { ...waiter(), credentials: { username: "ada", password: "open sesame" } };
    await assertIsImage(await images.resolve(name, right));
    await assertIsImage(await images.resolve(name, right));
    const refusal = /is here, but only for those to whom its registry shows it: .* for who does not log in/;
    await assert.rejects(images.resolve(name, waiter()), refusal);
    await assert.rejects(images.resolve(name, wrong), /does not accept the credentials of "ada"/);
  },
);

it(
  "gives a private image for a token of the server that it names, and not for one that is over",
  options,
  async (t) => {
    const tokens = await startTokens(t, await scratchFolder(t), "open sesame");
    const { registry, file, images } = await stage(t, tokens.auth);
    const name = `${registry.host}/team/app:1`;
    const to = ["--dest-tls-verify=false", "--dest-creds", "ada:open sesame"];
    await registry.skopeo("copy", ...to, `docker-archive:${file}`, `docker://${name}`);
    tokens.asked.length = 0;
    await assert.rejects(images.resolve(name, waiter()), /no such image for who does not log in/);
    const credentials = { username: "ada", password: "open sesame" };
    tokens.life.seconds = -3600; // over before it is used for the first time
    await assert.rejects(images.resolve(name, { ...waiter(), credentials }), /does not accept the credentials/);
    tokens.life.seconds = 60;
    await assertIsImage(await images.resolve(name, { ...waiter(), credentials }));
    assert.deepEqual([...new Set(tokens.asked.map(({ scope }) => scope))], ["repository:team/app:pull"]);
  },
);

it("has from files what it would have from a registry, under each of the names", options, async (t) => {
  const { registry, folder, file } = await stage(t);
  const images = await imagesIn(join(folder, "offline"));
  await assert.rejects(images.resolve("team/app:1", waiter()), {
    message: /there is no image docker\.io\/team\/app:1; tried: no registry, for the worker is told to ask none/,
    hint: /lydian image import/,
  });
  assert.deepEqual(await images.import(file, undefined, waiter()), ["docker.io/team/app:1"]);
  await assertIsImage(await images.resolve("team/app:1", waiter()));
  const oci = join(folder, "oci.tar");
  await registry.skopeo("copy", `docker-archive:${file}`, `oci-archive:${oci}:reg.example/base:2`);
  assert.deepEqual(await images.import(oci, undefined, waiter()), ["reg.example/base:2"]);
  const image = await images.resolve("reg.example/base:2", { ...waiter(), refresh: true });
  await assertIsImage(image);
  await assertIsImage(await images.resolve(`reg.example/base@${image.digest}`, waiter()));
  assert.deepEqual(await images.import(oci, "python:3.12-slim", waiter()), ["docker.io/library/python:3.12-slim"]);
  await assertIsImage(await images.resolve("python:3.12-slim", waiter()));
  const known = (await images.list()).map(({ name, imported, layers: { length } }) => ({ name, imported, length }));
  assert.deepEqual([...new Set(known.map(({ name }) => name))].sort(), [
    "docker.io/library/python:3.12-slim",
    "docker.io/team/app:1",
    "reg.example/base:2",
  ]);
  assert.ok(known.every(({ imported, length }) => imported && length === 2));
});

it("refuses a file that is damaged, cut off or no image, and keeps nothing of it", options, async (t) => {
  const { folder, file } = await stage(t);
  const host = join(folder, "offline");
  const images = await imagesIn(host);
  const whole = await readFile(file);
  const refused = async (bytes: Buffer, why: RegExp): Promise<void> => {
    const path = join(folder, "bad.tar");
    await writeFile(path, bytes);
    await assert.rejects(images.import(path, undefined, waiter()), why);
    assert.deepEqual(await readdir(join(host, "layers", ".drafts")), []);
  };
  const flipped = Buffer.from(whole);
  const at = flipped.indexOf("lower");
  flipped.write("LOWER", at);
  await refused(flipped, /is unpacked something else than its image says/);
  await refused(whole.subarray(0, whole.length / 2), /it ends in the middle of an entry/);
  await refused(Buffer.alloc(1024), /is no image: it has neither/);
  assert.deepEqual(await images.list(), []);
});

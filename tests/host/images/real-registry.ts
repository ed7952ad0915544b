/** Debian's registry on loopback, with skopeo as the other party, and images to put into it. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import http from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

import { type DebianPrograms, debianPrograms, until } from "@lydian/testkit";

import { archive, type Entry } from "./loopback-registry.ts";
import { cache } from "./scratch.ts";

const run = promisify(execFile);

/** What skopeo and the registry are called and what they need that a minimal host lacks. */
const packages = ["docker-registry", "skopeo", "umoci", "libgpgme11", "libassuan0", "libdevmapper1.02.1"];

export const registryPrograms = (): Promise<DebianPrograms | string> => debianPrograms(packages, cache);

export interface RealRegistry {
  /** HOST:PORT. */
  readonly host: string;
  readonly folder: string;
  skopeo(...args: string[]): Promise<string>;
}

/** With the sections that its configuration is to have beside storage and address. */
export async function startRegistry(
  t: TestContext,
  programs: DebianPrograms,
  folder: string,
  auth?: Record<string, unknown>,
): Promise<RealRegistry> {
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const config = {
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: join(folder, "storage") } },
    http: { addr: host, secret: randomUUID() },
    ...(auth && { auth }),
  };
  await writeFile(join(folder, "registry.json"), JSON.stringify(config)); // JSON is YAML
  const { env } = programs;
  const registry = spawn(programs.path("docker-registry"), ["serve", join(folder, "registry.json")], {
    env,
    stdio: "ignore",
  });
  t.after(() => ended(registry));
  await until(
    10_000,
    () => answers(`http://${host}/v2/`),
    () => `the registry on ${host} does not answer`,
  );
  const skopeo = async (...args: string[]): Promise<string> => {
    const general = ["--insecure-policy", "--tmpdir", folder];
    const { stdout } = await run(programs.path("skopeo"), [...general, ...args], { env: { ...env, HOME: folder } });
    return stdout;
  };
  return { host, folder, skopeo };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const end = once(child, "exit");
  child.kill("SIGKILL");
  await end;
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.status < 500,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Writes what `docker save` would of an image of these layers, lowest first. */
export async function dockerArchive(
  file: string,
  names: readonly string[],
  layers: readonly (readonly Entry[])[],
  config: Record<string, unknown> = {},
): Promise<string> {
  const archives = await Promise.all(layers.map(archive));
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const diff_ids = archives.map((bytes) => `sha256:${sha256(bytes)}`);
  const blob = Buffer.from(JSON.stringify({ architecture, os: "linux", config, rootfs: { type: "layers", diff_ids } }));
  const manifest = [
    { Config: `${sha256(blob)}.json`, RepoTags: names, Layers: archives.map((_, at) => `${at}/layer.tar`) },
  ];
  const text = (name: string, content: string | Buffer): Entry => ({ name, content: content as string, mode: 0o644 });
  const entries = [
    ...archives.map((bytes, at) => text(`${at}/layer.tar`, bytes)),
    text(`${sha256(blob)}.json`, blob),
    text("manifest.json", JSON.stringify(manifest)),
  ];
  await writeFile(file, await archive(entries));
  return `sha256:${sha256(blob)}`;
}

/** A server of tokens as a registry with `auth.token` trusts them; it gives them to who has this password alone. */
export async function startTokens(t: TestContext, folder: string, password: string) {
  await mkdir(folder, { recursive: true });
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=tokens", "-days", "2", "-nodes"];
  await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate, ...subject]);
  const x5c = [new X509Certificate(await readFile(certificate)).raw.toString("base64")];
  const privateKey = createPrivateKey(await readFile(key));
  const asked: { scope: string | null; isKnown: boolean }[] = [];
  /** Seconds for which the next tokens hold. */
  const life = { seconds: 60 };
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://tokens");
    const scope = url.searchParams.get("scope");
    const isKnown = request.headers.authorization === `Basic ${Buffer.from(`ada:${password}`).toString("base64")}`;
    asked.push({ scope, isKnown });
    if (!isKnown) return void response.writeHead(401).end();
    const [type = "", name = "", actions = ""] = (scope ?? "").split(":");
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, nbf: now - 10, exp: now + life.seconds };
    const access = scope === null ? [] : [{ type, name, actions: actions.split(",") }];
    const claims = { iss: "tests", sub: "ada", aud: "registry", jti: randomUUID(), ...times, access };
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part({ typ: "JWT", alg: "RS256", x5c })}.${part(claims)}`;
    const token = `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
    response.end(JSON.stringify({ token, expires_in: life.seconds }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  return { auth: { token: { realm, service: "registry", issuer: "tests", rootcertbundle: certificate } }, asked, life };
}

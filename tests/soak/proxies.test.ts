/** The recipes of deploy/ for reverse proxies, with the proxies themselves: Debian's packages, fetched into the cache. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { homedir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

import {
  debianPrograms,
  freePort,
  modal,
  newestClient,
  Platform,
  Program,
  repositoryRoot,
  runLydian,
  temporaryFolder,
  until,
} from "@lydian/testkit";

const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "lydian");
const nginx = await debianPrograms(["nginx"], cache);
const caddy = await debianPrograms(["caddy"], cache);

const skipOf = (found: object | string): string | false => (typeof found === "string" ? found : false);

const recipe = (name: string): string => readFileSync(join(repositoryRoot, "deploy", name), "utf8");

const patienceMs = 30_000;

test("nginx: RPCs, streams of them, pages and metrics on one port", { skip: skipOf(nginx) }, async () => {
  if (typeof nginx === "string") return;
  await using folder = await temporaryFolder();
  const [certificate, key] = certificates(folder.path, "lydian.example.com");
  const [port, inner] = [await freePort(), await freePort()];
  const url = `https://localhost:${port}`;
  await using platform = await Platform.start({
    runtime: "process",
    args: ["--public-url", url, "--port", String(inner)],
  });
  const site = recipe("nginx.conf")
    .replaceAll("listen 443", `listen 127.0.0.1:${port}`)
    .replaceAll("127.0.0.1:8700", `127.0.0.1:${inner}`)
    .replaceAll("/etc/ssl/lydian.pem", certificate)
    .replaceAll("/etc/ssl/lydian.key", key);
  const files = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${join(folder.path, kind)};`,
  );
  const settings = join(folder.path, "nginx.conf");
  const log = `error_log stderr warn; pid ${join(folder.path, "pid")}; daemon off; user root;`;
  writeFileSync(settings, `${log} events {} http { access_log off; ${files.join(" ")} ${site} }`);
  await using proxy = new Program(nginx.path("../sbin/nginx"), ["-c", settings], { env: nginx.env });
  await answers(url, certificate, proxy);
  const trusted = { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: certificate };
  await using status = runLydian(["status", "--data", platform.data], trusted);
  assert.equal((await status.finish(patienceMs)).code, 0, status.output);
  assert.match(status.stdout, new RegExp(`at ${url},`));
  await using watching = runLydian(["status", "--watch", "--json", "--data", platform.data], trusted);
  await watching.sees(/^\{/m, patienceMs);
  await using drain = runLydian(["drain", "--data", platform.data], trusted);
  assert.equal((await drain.finish(patienceMs)).code, 0, drain.output);
  await watching.sees(/The platform rests/, patienceMs);
});

test("Caddy: a client's calls, through a proxy that speaks without TLS", { skip: skipOf(caddy) }, async () => {
  if (typeof caddy === "string") return;
  await using folder = await temporaryFolder();
  const [port, inner] = [await freePort(), await freePort()];
  await using platform = await Platform.start({
    args: ["--public-url", `http://127.0.0.1:${port}`, "--port", String(inner)],
  });
  const settings = join(folder.path, "Caddyfile");
  const site = recipe("Caddyfile")
    .replaceAll("lydian.example.com {", `http://127.0.0.1:${port} {`)
    .replaceAll("*.apps.example.com {", `http://*.apps.example.com:${port} {`)
    .replaceAll("127.0.0.1:8700", `127.0.0.1:${inner}`);
  writeFileSync(settings, `{\n\tadmin off\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\n${site}`);
  const env = { ...caddy.env, HOME: folder.path };
  await using proxy = new Program(caddy.path("caddy"), ["run", "--config", settings, "--adapter", "caddyfile"], {
    env,
  });
  const ready = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status === 200;
  await until(patienceMs, ready, () => `the proxy does not answer:\n${proxy.output}`);
  await using run = modal(platform, newestClient, ["run", "-q", "examples/python/hello.py"]);
  await run.finishWith(0, 300_000);
  assert.match(run.output, /Hello World!/);
});

/** A certificate for this machine, of nobody's. */
function certificates(folder: string, name: string): [string, string] {
  const [certificate, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const names = `subjectAltName=DNS:${name},DNS:localhost,IP:127.0.0.1`;
  const made = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
    "-addext",
    names,
  ];
  execFileSync("openssl", [...made, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  return [certificate, key];
}

/** A page through the proxy, as soon as it is there. */
async function answers(url: string, certificate: string, proxy: Program): Promise<void> {
  const ca = readFileSync(certificate);
  const page = (): Promise<string> =>
    new Promise((resolve, reject) => {
      get(`${url}/readyz`, { ca, headers: { host: "lydian.example.com" } }, (response) => resolve(text(response))).on(
        "error",
        reject,
      );
    });
  await until(
    patienceMs,
    async () => (await page().catch(() => "")) === "ready\n",
    () => `the proxy does not answer:\n${proxy.output}`,
  );
}

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it, type TestContext } from "node:test";

import {
  acquireSettings,
  containerSettings,
  noPackageSettings,
  packageSettings,
  type SettingsHost,
} from "../../src/images/package-settings.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** A host of these files; a name that ends with a slash is a folder. */
async function host(
  t: TestContext,
  files: Record<string, string>,
  env: Record<string, string> = {},
): Promise<SettingsHost> {
  const root = await temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(name.endsWith("/") ? join(root, name) : dirname(join(root, name)), { recursive: true });
    if (!name.endsWith("/")) await writeFile(join(root, name), text);
  }
  return { root, env, home: "/home/somebody", aptConfig: () => Promise.resolve("") };
}

const pathsOf = (binds: readonly { path: string; source: string }[], root: string): Record<string, string> =>
  Object.fromEntries(binds.map(({ path, source }) => [path, source.slice(root.length)]));

const bindsOf = async (host: SettingsHost): Promise<Record<string, string>> =>
  pathsOf((await packageSettings(host)).binds, host.root);

it("shows the files of apt, pip, uv and npm that are there, the user's own ones as root's", async (t) => {
  const small = await host(t, {
    "/etc/resolv.conf": "nameserver 192.0.2.1\n",
    "/etc/ssl/certs/ca-certificates.crt": "certificates",
    "/etc/apt/auth.conf.d/company": "password",
    "/etc/apt/sources.list": "",
    "/etc/apt/sources.list.d/debian.sources":
      "Types: deb\nURIs: http://x.example\nSuites: s\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
    "/etc/apt/sources.list.d/company.list": "deb [signed-by=/etc/apt/keyrings/company.gpg] http://x.example s main\n",
    "/etc/apt/sources.list.d/old.list.save": "deb http://x.example s main\n",
    "/etc/apt/keyrings/company.gpg": "key",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "key",
    "/etc/pip.conf": "[global]",
    "/home/somebody/.npmrc": "//x.example/:_authToken=secret",
  });
  const { binds, files } = await packageSettings(small);
  assert.deepEqual(pathsOf(binds, small.root), {
    "/etc/apt/auth.conf.d/company": "/etc/apt/auth.conf.d/company",
    "/etc/apt/keyrings/company.gpg": "/etc/apt/keyrings/company.gpg",
    "/etc/apt/sources.list.d/company.list": "/etc/apt/sources.list.d/company.list",
    "/etc/apt/sources.list.d/debian.sources": "/etc/apt/sources.list.d/debian.sources",
    "/etc/pip.conf": "/etc/pip.conf",
    "/etc/resolv.conf": "/etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt",
  });
  assert.deepEqual(
    files,
    [{ path: "/root/.npmrc", text: "//x.example/:_authToken=secret" }],
    "copies of what is a person's own",
  );
});

it("inherits variables of fetching; one that names a file brings the file, or is left out where that is missing", async (t) => {
  const settings = await packageSettings(
    await host(
      t,
      { "/opt/wheels/": "", "/opt/wheels/deep/list": "", "/etc/ssl/certs/ca-certificates.crt": "" },
      {
        https_proxy: "http://proxy.example:3128",
        NO_PROXY: "localhost",
        PIP_INDEX_URL: "https://index.example/simple",
        PIP_FIND_LINKS: "/opt/wheels",
        PIP_CONSTRAINT: "/opt/wheels/deep/list",
        PIP_CERT: "/nowhere.pem",
        SSL_CERT_DIR: "/etc/ssl/certs",
        UV_INDEX_URL: "https://index.example/simple",
        npm_config_registry: "https://registry.example",
        // Where this host installs, caches and works is not a build's business.
        PIP_TARGET: "/opt/wheels",
        PIP_CACHE_DIR: "/opt/wheels",
        UV_PYTHON_INSTALL_DIR: "/opt/wheels",
        npm_config_prefix: "/opt/wheels",
        npm_config_user_agent: "npm",
        HOME: "/home/somebody",
        AWS_SECRET_ACCESS_KEY: "secret",
      },
    ),
  );
  assert.deepEqual(settings.environment, {
    https_proxy: "http://proxy.example:3128",
    NO_PROXY: "localhost",
    PIP_INDEX_URL: "https://index.example/simple",
    PIP_FIND_LINKS: "/opt/wheels",
    PIP_CONSTRAINT: "/opt/wheels/deep/list",
    SSL_CERT_DIR: "/etc/ssl/certs",
    UV_INDEX_URL: "https://index.example/simple",
    npm_config_registry: "https://registry.example",
  });
  // The folder brings what lies in it; the folder of certificates stays the image's own, but for the bundle.
  assert.deepEqual(
    settings.binds.map(({ path }) => path),
    ["/etc/ssl/certs/ca-certificates.crt", "/opt/wheels"],
  );
  assert.deepEqual(settings.warnings, []);
});

it("warns of a proxy and a resolver that only the host itself can reach, and asks behind the resolver", async (t) => {
  const stub = { "/etc/resolv.conf": "nameserver 127.0.0.53\n" };
  const proxied = await packageSettings(await host(t, stub, { http_proxy: "http://user:pass@127.0.0.1:3128" }));
  assert.match(proxied.warnings.join("\n"), /^http_proxy names .*\n\/etc\/resolv\.conf names only/);
  assert.doesNotMatch(proxied.warnings.join("\n"), /pass/);
  const resolved = await host(t, { ...stub, "/run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\n" });
  assert.equal((await bindsOf(resolved))["/etc/resolv.conf"], "/run/systemd/resolve/resolv.conf");
  assert.deepEqual((await packageSettings(resolved)).warnings, []);
  const named = await host(t, {}, { https_proxy: "http://localhost.example:1" });
  assert.deepEqual((await packageSettings(named)).warnings, []);
});

it("hands on how apt fetches, and nothing else of its configuration", async (t) => {
  const dump =
    'APT::Architecture "amd64";\nAcquire::http::Proxy "http://x.example";\nDir::Cache "var";\nAcquire::Check-Date "false";\n';
  assert.equal(acquireSettings(dump), 'Acquire::http::Proxy "http://x.example";\nAcquire::Check-Date "false";\n');
  const settings = await packageSettings({ ...(await host(t, {})), aptConfig: () => Promise.resolve(dump) });
  assert.deepEqual(settings.files, [{ path: "/etc/apt/apt.conf.d/00host", text: acquireSettings(dump) }]);
});

it("shows a running container certificates and proxies, but nothing to install with and no password", async (t) => {
  const files = {
    "/etc/ssl/certs/ca-certificates.crt": "certificates",
    "/etc/company.pem": "certificate",
    "/etc/pip.conf": "[global]",
    "/etc/resolv.conf": "nameserver 192.0.2.1\n",
  };
  const env = {
    SSL_CERT_FILE: "/etc/company.pem",
    PIP_CERT: "/etc/company.pem",
    PIP_INDEX_URL: "https://x.example",
    https_proxy: "http://proxy.example:3128",
    http_proxy: "http://me:secret@proxy.example:3128",
    no_proxy: "x.example",
  };
  const settings = await packageSettings(await host(t, files, env));
  const { binds, environment } = containerSettings(settings);
  assert.deepEqual(
    binds.map(({ path }) => path),
    ["/etc/company.pem", "/etc/ssl/certs/ca-certificates.crt"],
  );
  assert.deepEqual(environment, {
    SSL_CERT_FILE: "/etc/company.pem",
    https_proxy: "http://proxy.example:3128",
    no_proxy: "localhost,127.0.0.1,::1,x.example",
    NO_PROXY: "localhost,127.0.0.1,::1",
  });
  const off = await noPackageSettings(await host(t, files, env));
  assert.deepEqual(
    off.binds.map(({ path }) => path),
    ["/etc/resolv.conf"],
  );
  assert.deepEqual([off.environment, off.files, off.sources], [{}, [], []]);
});

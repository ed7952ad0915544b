import assert from "node:assert/strict";
import { hostname } from "node:os";
import { it } from "node:test";

import { PlatformError } from "@lydian/kit";

import { isLoopback, localAddress, numericHost, refuseOpenPort, urlOf } from "../src/listen-address.ts";
import { clientConfigFile, defaultCacheFolder, defaultDataFolder, layoutOf, shellWord } from "../src/paths.ts";

it("knows which addresses stay on this machine", () => {
  for (const address of ["127.0.0.1", "127.1.2.3", "::1"]) assert.equal(isLoopback(address), true, address);
  for (const address of ["0.0.0.0", "::", "10.0.0.1", "fe80::1", "127.example"])
    assert.equal(isLoopback(address), false);
});

it("lets a port be opened to others only encrypted or on purpose", () => {
  const plain = { tls: false, insecure: false };
  refuseOpenPort("127.0.0.1", plain);
  refuseOpenPort("0.0.0.0", { ...plain, tls: true });
  refuseOpenPort("0.0.0.0", { ...plain, insecure: true });
  assert.throws(() => refuseOpenPort("10.0.0.1", plain), PlatformError);
});

it("gives clients an address that they can connect to", async () => {
  assert.equal(urlOf("127.0.0.1", 8700, false), "http://127.0.0.1:8700");
  assert.equal(urlOf("::1", 8700, true), "https://[::1]:8700");
  assert.equal(urlOf("0.0.0.0", 80, false), `http://${hostname()}:80`);
  assert.deepEqual(["0.0.0.0", "::", "10.0.0.1"].map(localAddress), ["127.0.0.1", "::1", "10.0.0.1"]);
  assert.equal(await numericHost("localhost"), "127.0.0.1");
  await assert.rejects(numericHost("no-such-host.invalid"), PlatformError);
});

it("finds the folders of root and of a user", () => {
  const env = { HOME: "/home/ada" };
  assert.equal(defaultDataFolder(env, true), "/var/lib/lydian");
  assert.equal(defaultDataFolder(env, false), "/home/ada/.local/share/lydian");
  assert.equal(defaultDataFolder({ ...env, XDG_DATA_HOME: "/data" }, false), "/data/lydian");
  assert.equal(defaultCacheFolder(env, true), "/var/cache/lydian");
  assert.equal(defaultCacheFolder({ ...env, XDG_CACHE_HOME: "" }, false), "/home/ada/.cache/lydian");
  assert.equal(defaultCacheFolder({ LYDIAN_CACHE: "/fast" }, true), "/fast");
  assert.equal(clientConfigFile(env), "/home/ada/.modal.toml");
  assert.equal(clientConfigFile({ ...env, MODAL_CONFIG_PATH: "/etc/modal.toml" }), "/etc/modal.toml");
  assert.equal(layoutOf(undefined, env).option, "");
  assert.equal(layoutOf("/srv/my data", env).option, " --data '/srv/my data'");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
});

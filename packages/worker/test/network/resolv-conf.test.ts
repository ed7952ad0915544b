import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import {
  formatResolvConf,
  type HostResolvers,
  parseResolvConf,
  readHostResolvers,
} from "../../src/network/resolv-conf.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function read(t: TestContext, ...texts: string[]): Promise<HostResolvers> {
  const folder = await temporaryFolder(t);
  const files = texts.map((_, i) => join(folder, String(i)));
  await Promise.all(files.map((file, i) => writeFile(file, texts[i] ?? "")));
  return readHostResolvers([...files, join(folder, "missing")]);
}

it("reads and writes what resolvers read", () => {
  const text =
    "# made by dhcp\n; so\n\nsearch a.example b.example\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 \noptions ndots:2\n";
  const conf = parseResolvConf(text);
  assert.deepEqual(conf, {
    nameservers: ["192.0.2.1", "2001:db8::1"],
    rest: ["search a.example b.example", "options ndots:2"],
  });
  assert.equal(
    formatResolvConf(conf),
    "nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch a.example b.example\noptions ndots:2\n",
  );
});

it("takes the first list with a server that containers may reach", async (t) => {
  const direct = async (...texts: string[]): Promise<readonly string[] | undefined> =>
    (await read(t, ...texts)).direct?.nameservers;
  assert.deepEqual(await direct("nameserver 192.0.2.1\nnameserver ::1\nnameserver 127.0.0.1\n"), ["192.0.2.1"]);
  assert.deepEqual(await direct("nameserver 127.0.0.53\n", "nameserver 192.0.2.2\n"), ["192.0.2.2"]);
  assert.equal(await direct("nameserver 127.0.0.53\n", "nameserver 2001:db8::1\n"), undefined);
  assert.equal(await direct(), undefined);
});

it("asks itself what the host asks, or a resolver on its loopback", async (t) => {
  assert.deepEqual((await read(t, "nameserver 127.0.0.53\n", "nameserver 192.0.2.2\n")).own.nameservers, [
    "127.0.0.53",
  ]);
  assert.deepEqual((await read(t, "search a.example\n")).own, { nameservers: ["127.0.0.1"], rest: [] });
});

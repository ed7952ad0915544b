/** Web functions below a domain of the operator's own and under domains of their own, with certificates from files. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

import { freePort, missingClient, modal, Platform, temporaryFolder, testedClients } from "@lydian/testkit";
import { WebSocket } from "ws";

import { WebCaller } from "../clients/web-caller.ts";

const minutes = 60_000;

/** For these names and this machine, of nobody's; answers where certificate and key are. */
function certificateFor(folder: string, names: readonly string[]): [string, string] {
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  const alternatives = `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")},IP:127.0.0.1`;
  const made = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=test",
    "-addext",
    alternatives,
  ];
  execFileSync("openssl", [...made, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  return [certificate, key];
}

for (const version of testedClients) {
  test(
    `a domain with certificates, client ${version}`,
    { skip: missingClient(version), timeout: 5 * minutes },
    async () => {
      await using folder = await temporaryFolder();
      const [certificate, key] = certificateFor(folder.path, [
        "*.apps.example.com",
        "shop.example.org",
        "*.example.net",
      ]);
      const port = await freePort();
      await using platform = await Platform.start({
        args: [
          ...["--workspace", "home", "--port", String(port), "--public-url", `https://127.0.0.1:${port}`],
          ...["--web-url", `https://apps.example.com:${port}`, "--tls-cert", certificate, "--tls-key", key],
          ...["--custom-domain", "shop.example.org", "--custom-domain", "*.example.net"],
        ],
      });
      // The clients trust certificates of authorities alone, and who is on this machine needs none.
      const env = { MODAL_SERVER_URL: `http://127.0.0.1:${port}` };
      const client = async (...args: string[]): Promise<string> => {
        await using run = modal(platform, version, args, { env });
        return await run.finishWith(0, 3 * minutes);
      };
      const ca = readFileSync(certificate);
      const ask = async (host: string): Promise<[number | undefined, string]> => {
        const to = {
          host: "127.0.0.1",
          port,
          servername: host,
          ca,
          agent: false,
          headers: { host: `${host}:${port}` },
        };
        const [answer] = (await once(request(to).end(), "response")) as [IncomingMessage];
        return [answer.statusCode, await text(answer)];
      };
      const printed = (await client("deploy", "tests/soak/apps/domains.py")).replaceAll(/[\s│]+/g, "");
      const own = "home--domains-api.apps.example.com";
      for (const host of [own, "shop.example.org", "any.example.net"]) {
        assert.ok(printed.includes(`https://${host}:${port}`), printed);
        assert.deepEqual(await ask(host), [200, `https ${host}:${port}`]);
      }
      assert.equal((await ask("other.example.net"))[0], 404);
      using plain = new WebCaller(platform);
      assert.equal((await plain.ask(`http://${own}:${port}/`)).text, `https ${own}:${port}`, "from this machine");

      const servername = "shop.example.org";
      const options = { ca, servername, headers: { host: `${servername}:${port}` } };
      const socket = new WebSocket(`wss://127.0.0.1:${port}/`, [], options);
      const closed = once(socket, "close");
      const [said] = (await once(socket, "message")) as [Buffer];
      assert.equal(said.toString(), `wss shop.example.org:${port}`);
      assert.equal((await closed)[0], 4000);

      assert.equal((await ask("home--domains-guarded.apps.example.com"))[0], 401);
    },
  );
}

/** fetch.py alone, with servers that do as they should and others. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { Interpreters } from "../../src/runners/interpreters.ts";
import { temporaryFolder } from "../support/temporary.ts";

const script = fileURLToPath(new URL("../../fetch/fetch.py", import.meta.url));

async function server(t: TestContext, answer: http.RequestListener): Promise<string> {
  const listener = http.createServer(answer).listen(0, "127.0.0.1");
  t.after(() => listener.close());
  await once(listener, "listening");
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
}

interface Fetched {
  code: number;
  errors: string;
  file(number: number): Promise<string>;
}

async function fetched(t: TestContext, addresses: readonly string[], most = 1000): Promise<Fetched> {
  const folder = join(await temporaryFolder(t), "fetched");
  const { program } = await new Interpreters().any();
  const child = spawn(program, ["-I", script, folder, String(most), ...addresses], { env: {} });
  let errors = "";
  child.stderr.on("data", (data) => (errors += String(data)));
  const [code] = (await once(child, "close")) as [number];
  return { code, errors, file: (number) => readFile(join(folder, String(number)), "utf8") };
}

test("addresses are fetched, by way of redirects", async (t) => {
  const place = await server(t, (request, response) => {
    if (request.url === "/moved") response.writeHead(302, { location: "/there" }).end();
    else response.end(`this is ${request.url}`);
  });
  const { code, errors, file } = await fetched(t, [`${place}/moved`, `${place}/other`]);
  assert.equal(code, 0, errors);
  assert.deepEqual([await file(0), await file(1)], ["this is /there", "this is /other"]);
});

const failures: Record<string, [answer: http.RequestListener, says: RegExp]> = {
  "what is not there": [(_, response) => response.writeHead(404).end(), /cannot be fetched: Not Found/],
  "a redirect to a file": [
    (_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
    /cannot be fetched: .*file:/,
  ],
  "redirects without an end": [
    (request, response) => response.writeHead(302, { location: `${request.url}x` }).end(),
    /cannot be fetched: .*redirect/,
  ],
  "more than it may": [(_, response) => response.end("x".repeat(1001)), /all that is added may have 1000 bytes/],
  "a connection that breaks": [
    (_, response) => {
      response.writeHead(200, { "content-length": "100" }).write("x");
      setImmediate(() => response.destroy());
    },
    /cannot be fetched: it ended after 1 of 100 bytes/,
  ],
};
for (const [what, [answer, says]] of Object.entries(failures)) {
  test(`${what} is an error that names the address`, async (t) => {
    const place = await server(t, answer);
    const { code, errors } = await fetched(t, [`${place}/file`]);
    assert.equal(code, 1);
    assert.match(errors, says);
    assert.match(errors, new RegExp(`^${place}/file `));
  });
}

/** Web functions at length: frameworks that take a while to install, and other people's tester of HTTP/2. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { missingClient, modal, newestClient, Platform, temporaryFolder, until, usualRuntime } from "@lydian/testkit";

import { app } from "../clients/stories.ts";
import { WebCaller } from "../clients/web-caller.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "images are made with containers";
const minutes = 60_000;
const run = promisify(execFile);

const platform = await Platform.start({ args: ["--workspace", "home", "--log-level", "warn"] });
const caller = new WebCaller(platform);
const { port } = new URL(platform.url);
after(async () => {
  caller[Symbol.dispose]();
  await platform[Symbol.asyncDispose]();
});

const framework = (name: string, path = "/"): string => `http://home--frameworks-${name}.localhost:${port}${path}`;

describe("frameworks", { skip, timeout: 30 * minutes }, () => {
  before(async () => {
    await using deploy = modal(platform, newestClient, ["deploy", app("web_frameworks.py")]);
    await deploy.finishWith(0, 20 * minutes);
  });

  test("Django: forms, and cookies", async () => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const form = await caller.ask(framework("django", "/form/"), { method: "POST", body: "a=1&b=%C3%A9", headers });
    assert.deepEqual(form.json(), { method: "POST", sent: { a: "1", b: "é" }, secure: false });
    const first = await caller.ask(framework("django", "/cookie/"));
    assert.equal(first.text, "never");
    const cookie = (first.headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "";
    assert.equal((await caller.ask(framework("django", "/cookie/"), { headers: { cookie } })).text, "before");
  });

  test("Starlette: addresses of its own, and sockets", async () => {
    const away = await caller.ask(framework("starlette", "/away"), { follows: false });
    assert.equal(away.headers.location, framework("starlette", "/home/here"));
    assert.equal((await caller.ask(away.headers.location ?? "")).text, "http here");
    const socket = caller.socket(framework("starlette", "/socket"));
    await once(socket, "open");
    socket.send("well");
    const closed = once(socket, "close");
    const [message] = (await once(socket, "message")) as [Buffer];
    assert.deepEqual(JSON.parse(message.toString()), { got: "well" });
    assert.equal((await closed)[0], 4003);
  });
});

test(
  "a server of the newest client goes on when the platform's server is killed, and ends when it is stopped",
  { skip },
  async () => {
    await using deploy = modal(platform, newestClient, ["deploy", app("web_servers.py")]);
    await deploy.finishWith(0, 5 * minutes);
    const address = `http://home--servers-open.localhost:${port}`;
    const all = (): number[] => platform.functions().map(({ pid }) => pid);
    const others = new Set(all()); // of tests before this one
    assert.equal((await caller.ask(address)).status, 200);
    const own = (): number[] => all().filter((pid) => !others.has(pid));
    const containers = own();
    for (let round = 0; round < 3; round++) {
      process.kill(platform.process("server")?.pid ?? assert.fail(), "SIGKILL");
      using fresh = new WebCaller(platform); // none of the connections that the killed one had
      for (let i = 0; i < 3; i++) assert.equal((await fresh.ask(address)).status, 200);
      assert.deepEqual(own(), containers, "in the same container");
    }
    await using stop = modal(platform, newestClient, ["app", "stop", "servers", "--yes"]);
    await stop.finishWith(0);
    await until(
      minutes,
      () => own().length === 0,
      () => "it goes on",
    );
  },
);

/** The sentences of the cases that failed. */
function failedIn(report: string): Set<string> {
  return new Set([...report.matchAll(/^\s*× \d+: (.*)$/gm)].map(([, name = ""]) => name.trim()));
}

test(
  "h2spec finds nothing in the port that it does not find in Node's own HTTP/2",
  { timeout: 15 * minutes },
  async (t) => {
    await using folder = await temporaryFolder();
    const go = await run("go", ["install", "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"], {
      env: { ...process.env, GOBIN: folder.path },
    }).catch((error: unknown) => String(error));
    const program = join(folder.path, "h2spec");
    if (!existsSync(program)) return t.skip(`h2spec could not be built: ${JSON.stringify(go)}`);
    const plain = createServer().listen(0, "127.0.0.1");
    plain.on("stream", (stream: ServerHttp2Stream) => {
      stream.on("error", () => {});
      stream.respond({ ":status": 415 }, { endStream: true }); // as to whoever does not speak gRPC
    });
    plain.on("sessionError", () => {});
    await once(plain, "listening");
    const testPort = async (number: number): Promise<Set<string>> => {
      const args = ["-h", "127.0.0.1", "-p", String(number), "-o", "5"];
      const report = await run(program, args, { timeout: 5 * minutes }).then(
        ({ stdout }) => stdout,
        (error: unknown) => (error as { stdout: string }).stdout,
      );
      assert.match(report, /\d+ tests, \d+ passed/);
      return failedIn(report);
    };
    const known = await testPort((plain.address() as AddressInfo).port);
    plain.close();
    const own = await testPort(Number(port));
    // What does not begin as HTTP/2 is HTTP/1.1 on this port.
    let others = [...own].filter((name) => !known.has(name) && name !== "Sends invalid connection preface");
    // Whether a frame comes before or after an answer is a matter of luck in some cases.
    for (let again = 0; again < 2 && others.length > 0; again++) {
      const failed = await testPort(Number(port));
      others = others.filter((name) => failed.has(name));
    }
    t.diagnostic(`${known.size} cases fail in Node's own, ${own.size} here`);
    assert.deepEqual(others, []);
  },
);

test(
  "schemathesis finds nothing in a FastAPI that it asks through the port",
  { skip, timeout: 15 * minutes },
  async (t) => {
    await using folder = await temporaryFolder();
    const programs = join(folder.path, "bin");
    const made = await run("python3", ["-m", "venv", folder.path])
      .then(() => run(join(programs, "pip"), ["install", "-q", "schemathesis==4.32.5"], { timeout: 5 * minutes }))
      .catch((error: unknown) => String(error));
    if (typeof made === "string") return t.skip(`schemathesis could not be installed: ${made}`);
    await using deploy = modal(platform, newestClient, ["deploy", "tests/soak/apps/items.py"]);
    await deploy.finishWith(0, 10 * minutes);
    const checks = [
      "not_a_server_error",
      "status_code_conformance",
      "content_type_conformance",
      "response_schema_conformance",
    ];
    const host = `home--items-shop.localhost:${port}`;
    const args = ["run", `http://127.0.0.1:${port}/openapi.json`, "-H", `Host: ${host}`, "--checks", checks.join(",")];
    const report = await run(
      join(programs, "schemathesis"),
      [...args, "--max-time", "120", "--seed", "7", "--no-color"],
      {
        timeout: 8 * minutes,
        cwd: folder.path, // it keeps what it has found
      },
    ).catch((error: unknown) => assert.fail((error as { stdout: string }).stdout));
    t.diagnostic(
      /(\d+ generated[^\n]*|Test cases:[^]*?\n\n)/.exec(report.stdout)?.[1]?.trim() ?? report.stdout.slice(-400),
    );
  },
);

/** Web functions of the stock clients, asked by HTTP and web sockets through the platform's one port. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";

import {
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  temporaryFolder,
  testedClients,
  until,
} from "@lydian/testkit";

import { app } from "./stories.ts";
import { type Answer, WebCaller } from "./web-caller.ts";

const platform = await platformOfFile({
  args: ["--workspace", "home", "--times", JSON.stringify({ webAnswer: 3_000 })],
});
const port = new URL(platform.url).port;
const caller = new WebCaller(platform);
after(() => caller[Symbol.dispose]());

/** Of a function of apps/web.py, by the rule. */
const url = (name: string, path = "/"): string => `http://home--web-${name}.localhost:${port}${path}`;

const bytesOf = (count: number): Buffer => Buffer.alloc(count, "0123456789abcdef");

for (const version of testedClients) {
  describe(`web functions, client ${version}`, { skip: missingClient(version), concurrency: true }, () => {
    let printed = "";
    before(async () => {
      await using deploy = modal(platform, version, ["deploy", app("web.py")]);
      printed = await deploy.finishWith(0, 120_000);
    });

    test("their addresses are printed", () => {
      for (const address of [url("greet"), `http://home--ordered.localhost:${port}`, url("counter-up")]) {
        assert.ok(printed.replaceAll(/\s+/g, "").includes(address.replace(/\/$/, "")), `${address} in ${printed}`);
      }
    });

    test("a run has addresses of its own", async () => {
      await using run = modal(platform, version, ["run", app("web.py")]);
      const output = await run.finishWith(0);
      assert.match(output, new RegExp(`^the address is http://home--web-greet-dev\\.localhost:${port}$`, "m"));
    });

    test("an endpoint takes parameters, and the first request waits for its container", async () => {
      const answer = await caller.ask(url("greet", "/?name=you%20all"));
      assert.deepEqual([answer.status, answer.json()], [200, { hello: "you all" }]);
      const wrong = await caller.ask(url("greet", "/"), { method: "POST" });
      assert.deepEqual([wrong.status, wrong.headers.allow], [405, "GET"]);
    });

    test("an endpoint with a label takes a body, and has its documentation", async () => {
      const base = `http://home--ordered.localhost:${port}`;
      const answer = await caller.ask(base, { method: "POST", body: '{"shoes":2}' });
      assert.deepEqual(answer.json(), { got: { shoes: 2 } });
      assert.match((await caller.ask(`${base}/docs`)).text, /swagger/);
    });

    test("methods of a class share its containers, and a query may have the class's arguments", async () => {
      const asked = async (name: string, query = ""): Promise<Answer> => caller.ask(url(name, `/${query}`));
      assert.deepEqual([(await asked("counter-up")).json(), (await asked("counter-down")).json()], [1, 0]);
      assert.equal((await asked("counter-up", "?start=10&by=5")).json(), 15);
      assert.match((await asked("counter-up", "?start=ten")).text, /"start" in the query has to be a whole number/);
    });

    test("WSGI: a body, and headers as variables that nobody can forge", async () => {
      const sum = await caller.ask(url("flask", "/add"), { method: "POST", body: "[1,2,3]" });
      assert.equal(sum.text, "6");
      const headers = { "x-forwarded-for": "6.6.6.6", x_forwarded_for: "6.6.6.6", forwarded: "for=6.6.6.6" };
      assert.doesNotMatch((await caller.ask(url("flask", "/environ"), { headers })).text, /6\.6\.6\.6/);
    });

    test("a server of its own: requests, and sockets", async () => {
      const answer = await caller.ask(url("server", "/a/b?c=d"), { method: "POST", body: "hello" });
      assert.equal(answer.status, 201);
      assert.match(answer.text, /^POST \/a\/b\?c=d\nhello\n/);
      assert.match(answer.text, /^x-forwarded-for: 127\.0\.0\.1$/m);
      assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
      const socket = caller.socket(url("server"));
      socket.on("open", () => socket.send("well"));
      const [message] = (await once(socket, "message")) as [Buffer];
      assert.equal(message.toString(), "well!");
      socket.close();
    });

    test("what takes too long ends with 504", async () => {
      const answer = await caller.ask(url("slow"));
      assert.deepEqual([answer.status, answer.text], [504, "The web function ran longer than its timeout.\n"]);
    });
  });
}

const api = (path: string): string => url("api", path);
const together = { skip: missingClient(newestClient), concurrency: true };

describe("requests and answers", together, () => {
  test("methods, queries, headers and bodies arrive as they were sent, but for those of the connection", async () => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const answer = await caller.ask(api("/echo?a=1&b=%C3%A9"), {
        method,
        headers: {
          "x-many": ["1", "2"],
          connection: "x-mine",
          "x-mine": "1",
          te: "trailers",
          "x-forwarded-host": "evil",
        },
        ...(method !== "GET" && { body: "héllo" }),
      });
      assert.equal(answer.status, 200, `${method}: ${answer.text} ${JSON.stringify(answer.headers)}`);
      const echo = answer.json() as { method: string; query: string; headers: [string, string][]; body: string };
      assert.deepEqual([echo.method, echo.query, echo.body], [method, "a=1&b=%C3%A9", method === "GET" ? "" : "héllo"]);
      const unusual = echo.headers.filter(([name]) => /^(?:x-|te$|connection$)/.test(name));
      assert.deepEqual(unusual, [
        ["x-many", "1"],
        ["x-many", "2"],
      ]);
    }
    const head = await caller.ask(api("/echo"), { method: "HEAD" });
    assert.deepEqual([head.status, head.text], [200, ""]);
    assert.ok(Number(head.headers["content-length"]) > 0);
    assert.deepEqual((await caller.ask(api("/cookies"))).headers["set-cookie"]?.length, 2);
  });

  test("events arrive while the function runs", async () => {
    const answer = await caller.begin(api("/events"));
    const times: number[] = [];
    let text = "";
    for await (const piece of answer) {
      times.push(performance.now());
      text += String(piece);
    }
    assert.equal(text, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
    assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 300, `together, at ${times.join(", ")}`);
  });

  test("an answer may begin before the request has ended", async () => {
    const body = bytesOf(3_000_000);
    const answer = await caller.ask(api("/mirror/"), { method: "POST", body });
    assert.ok(answer.text === body.toString());
  });
});

describe("what does not go well", together, () => {
  test("a caller that hangs up ends the function", async () => {
    const cancelled = async (): Promise<number> =>
      ((await caller.ask(api("/seen"))).json() as { cancelled: number }).cancelled;
    const before = await cancelled();
    const { host } = new URL(api("/"));
    const sent = request({ host: "127.0.0.1", port, path: "/patience", headers: { host } });
    sent.on("error", () => {}); // it is we who hang up
    sent.end();
    await once(sent, "finish");
    await caller.ask(api("/echo"));
    sent.destroy();
    await until(
      20_000,
      async () => (await cancelled()) > before,
      () => "it goes on",
    );
  });

  test("an error says nothing of what is inside", async () => {
    const failed = await caller.ask(api("/fails"));
    assert.deepEqual([failed.status, failed.text], [500, "Internal Server Error"]);
    const unknown = await caller.ask(`http://home--web-nothing.localhost:${port}/x`);
    assert.equal(unknown.status, 404);
    assert.match(unknown.text, /^No web function has the address home--web-nothing\.localhost/);
  });

  test("what is no HTTP is not passed on", async () => {
    assert.equal((await caller.ask(api("/injects"))).status, 502);
    await assert.rejects(caller.ask(api("/short")), /aborted|hang up/);
  });

  test("a request that takes long is answered by another one, which its caller is sent to", async () => {
    const first = await caller.ask(api("/patience"), { follows: false });
    assert.equal(first.status, 303);
    const next = new URL(first.headers.location ?? "", api("/")).href;
    assert.equal(
      (await caller.ask(next, { follows: false })).headers.location,
      first.headers.location,
      "the same once more",
    );
    assert.equal((await caller.ask(next.replace(/.$/, "_"))).status, 404);
  });
});

test("sockets: text, bytes, a protocol, and each side's close", together, async () => {
  const socket = caller.socket(api("/socket"), ["first", "second"]);
  await once(socket, "open");
  assert.equal(socket.protocol, "second");
  socket.send("hello");
  assert.deepEqual(await once(socket, "message"), [Buffer.from("HELLO"), false]);
  socket.send(Buffer.from([1, 2, 3]));
  assert.deepEqual(await once(socket, "message"), [Buffer.from([3, 2, 1]), true]);
  socket.send(bytesOf(1024 * 1024));
  const [large] = (await once(socket, "message")) as [Buffer];
  assert.equal(large.length, 1024 * 1024);
  socket.send("close");
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  assert.deepEqual([code, reason.toString()], [4001, "as you wish"]);

  const other = caller.socket(api("/socket"));
  await once(other, "open");
  other.close(4002, "enough");
  await until(
    10_000,
    async () => ((await caller.ask(api("/seen"))).json() as { code?: number }).code === 4002,
    () => "no close",
  );

  const tooLarge = caller.socket(api("/socket"));
  await once(tooLarge, "open");
  tooLarge.send(bytesOf(3 * 1024 * 1024));
  assert.equal((await once(tooLarge, "close"))[0], 1009);
  assert.match(String((await once(caller.socket(api("/refused")), "error"))[0]), /403/);
  assert.match(String((await once(caller.socket(`http://nobody.localhost:${port}/`), "error"))[0]), /404/);
});

test("large bodies pass both ways, those that containers store as blobs too", together, async () => {
  const { host } = new URL(api("/"));
  const sent = request({ host: "127.0.0.1", port, method: "POST", path: "/size", headers: { host } });
  const answered = once(sent, "response");
  for (let i = 0; i < 24; i++) if (!sent.write(bytesOf(1024 * 1024))) await once(sent, "drain");
  sent.end();
  const [response] = (await answered) as [AsyncIterable<Buffer>];
  for await (const text of response) assert.equal(String(text), `{"bytes":${24 * 1024 * 1024}}`);
  for (const path of ["/zeros?mebibytes=24", "/huge?mebibytes=45"]) {
    let bytes = 0;
    for await (const piece of await caller.begin(api(path))) bytes += (piece as Buffer).length;
    assert.equal(bytes, Number(path.split("=")[1]) * 1024 * 1024, path);
  }
});

test(
  "a new deployment under load loses no request, by either strategy",
  { skip: missingClient(newestClient) },
  async () => {
    const deploy = async (edition: string, strategy: string): Promise<void> => {
      const args = ["deploy", "--strategy", strategy, app("web_edition.py")];
      await using run = modal(platform, newestClient, args, { env: { EDITION: edition } });
      await run.finishWith(0, 100_000); // which waits for the old containers' end
    };
    await deploy("first", "rolling");
    const address = url("edition").replace("--web-", "--editions-");
    const answers: string[] = [];
    const over = new AbortController();
    const ask = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const { status, text } = await caller.ask(address);
        answers.push(`${status} ${text}`);
      }
    };
    const callers = Array.from({ length: 10 }, ask);
    await until(
      30_000,
      () => answers.length > 10,
      () => "no answers",
    );
    for (const [edition, strategy] of [
      ["second", "rolling"],
      ["third", "recreate"],
    ] as const) {
      await deploy(edition, strategy);
      await until(
        100_000, // until there is a new one, which takes its time on a busy machine
        () => answers.at(-1) === `200 ${edition}`,
        () => `still ${answers.at(-1)}`,
      );
    }
    over.abort();
    await Promise.all(callers);
    assert.deepEqual([...new Set(answers)].toSorted(), ["200 first", "200 second", "200 third"]);
  },
);

test("a guarded function is opened by a token alone", { skip: missingClient(newestClient) }, async () => {
  const address = url("guarded").replace("--web-", "--editions-");
  const tokens = async (...args: string[]): Promise<string> => {
    await using run = modal(platform, newestClient, ["workspace", "proxy-tokens", ...args]);
    return await run.finishWith(0);
  };
  const made = JSON.parse(await tokens("create", "--name", "shop", "--json")) as Record<string, string>;
  const { Authorization: authorization = "", ...headers } = made;
  const id = headers["Modal-Key"] ?? "";
  assert.match(await tokens("list"), new RegExp(`shop.*${id}`));
  const status = async (given: Record<string, string>): Promise<number> =>
    (await caller.ask(address, { headers: given })).status;
  assert.deepEqual(
    [
      await status({}),
      await status({ ...headers, "Modal-Secret": "ws-x" }),
      await status(headers),
      await status({ authorization }),
    ],
    [401, 401, 200, 200],
  );
  await tokens("delete", id, "--yes");
  assert.equal(await status(headers), 401);
  assert.match((await caller.ask(address)).text, /`lydian proxy-token create` makes one/);
});

test("a port that is forwarded is reached by HTTP and by TCP until its context ends", together, async () => {
  await using run = modal(platform, newestClient, ["run", app("tunnels.py")]);
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    await run.sees(pattern, 60_000);
    return pattern.exec(run.output) ?? assert.fail(run.output);
  };
  const [, host = "", tcp = ""] = await said(/^forwarded (\S+) \d+ \S+ (\d+)\s*$/m);
  await run.sees("refused: Port 8000 is already forwarded", 30_000);
  const at = (path: string): string => `http://${host}:${port}${path}`;
  for (let i = 0; i < 3; i++) assert.equal((await caller.ask(at(`/a?b=${i}`))).text, `/a?b=${i} at ${host}:${port}`);
  const plain = connect(Number(tcp), "127.0.0.1");
  plain.end("GET /tcp HTTP/1.0\r\nhost: plain\r\n\r\n");
  assert.match(await text(plain), /^HTTP\/1\.1 200 OK\r\n[^]*\/tcp at plain$/);
  assert.equal((await caller.ask(at("/end"))).status, 200);
  const [, silent = ""] = await said(/^silent (\S+)\s*$/m);
  assert.equal((await caller.ask(at("/"))).status, 404);
  const refused = connect(Number(tcp), "127.0.0.1");
  assert.match(String((await once(refused, "error"))[0]), /ECONNREFUSED/);
  const nobody = await caller.ask(silent.replace("https:", "http:"));
  assert.deepEqual([nobody.status, nobody.text], [502, "Nothing takes connections on that port of the container.\n"]);
});

test("a server of the newest client takes requests once its port is open", together, async () => {
  await using deploy = modal(platform, newestClient, ["deploy", app("web_servers.py")]);
  const printed = (await deploy.finishWith(0, 120_000)).replaceAll(/\s+/g, "");
  const server = (name: string, dev = ""): string => `http://home--servers-${name}${dev}.localhost:${port}`;
  assert.ok(printed.includes(`${server("open")}(unauthenticated)`), printed);
  assert.equal((await caller.ask(server("guarded"))).status, 401);
  const answers = await Promise.all([1, 2, 3].map(() => caller.ask(server("open"))));
  for (const { status, text: page } of answers) assert.match(`${status} ${page}`, /^200 [^]*local\//);
  await using run = modal(platform, newestClient, ["run", app("web_servers.py")]);
  assert.match(await run.finishWith(0), new RegExp(`^the address is ${server("open", "-dev")}$`, "m"));
});

test("`modal serve` puts each saved edition behind the same address, over one that is broken", together, async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "web_edition.py");
  const source = await readFile(app("web_edition.py"), "utf8");
  const save = (edition: string): Promise<void> =>
    writeFile(file, source.replace('os.environ["EDITION"]', `"${edition}"`).replace('"editions"', '"serving"'));
  await save("first");
  await using serve = modal(platform, newestClient, ["serve", file]);
  await serve.sees("Serving...", 60_000);
  const address = `http://home--serving-edition-dev.localhost:${port}`;
  const says = async (text: string): Promise<void> =>
    until(
      60_000,
      async () => (await caller.ask(address)).text === text,
      () => serve.describe(`${text} is not served`),
    ).then(() => {});
  await says("first");
  await writeFile(file, "this is no program");
  await serve.sees("SyntaxError", 60_000);
  await save("second");
  await says("second");
  serve.signal("SIGINT");
  await serve.finish(30_000);
  assert.equal((await caller.ask(address)).status, 404);
});

/** The guide's web functions, as examples: deployed by each client, and asked by HTTP. */
import assert from "node:assert/strict";
import { after, describe } from "node:test";

import { modal, Platform, python, testEachClient, usualRuntime } from "@lydian/testkit";

import { type Asking, WebCaller } from "../clients/web-caller.ts";

const folder = "examples/python";
const platform = await Platform.start({ args: ["--workspace", "home", "--log-level", "warn"] });
const caller = new WebCaller(platform);
after(async () => {
  caller[Symbol.dispose]();
  await platform[Symbol.asyncDispose]();
});

describe(
  "the guide's web functions",
  { skip: usualRuntime === "runc" ? false : "images are made with containers" },
  () => {
    const deploy = async (version: string, file: string): Promise<void> => {
      await using run = modal(platform, version, ["deploy", `${folder}/guide/${file}`]);
      await run.finishWith(0, 200_000);
    };
    const at = (label: string, path = "/"): string => {
      const { port } = new URL(platform.url);
      return `http://home--${label}.localhost:${port}${path}`;
    };
    const send = { method: "POST", headers: { "content-type": "application/json" } };

    testEachClient("web endpoints of each kind", async (version) => {
      await deploy(version, "web_endpoints.py");
      const ask = async (name: string, path?: string, asking?: Asking): Promise<string> => {
        const { status, text } = await caller.ask(at(`web-endpoints-${name}`, path), asking);
        return `${status} ${text}`;
      };
      const headers = { authorization: "Bearer let-me-in" };
      const answers = await Promise.all([
        ask("fastapi-app"),
        ask("fastapi-app", "/predict", { ...send, body: `{"a": 1, "b": 4}` }),
        ask("square", "/?x=12", { method: "POST" }),
        ask("get-data", "/?user_id=123"),
        ask("flask-endpoint"),
        ask("authenticated-endpoint"),
        ask("authenticated-endpoint", "/", { headers }),
      ]);
      assert.deepEqual(answers, [
        `200 {"message":"Hello from Modal!"}`,
        `200 {"prediction":2.5}`,
        `200 {"square":144}`,
        `200 {"user_id":"123","data":"..."}`,
        "200 Hello from Flask on Modal!",
        `401 {"detail":"Who are you?"}`,
        `200 {"authenticated":true}`,
      ]);
      assert.match(await ask("custom-server"), /^200 <!DOCTYPE HTML>[^]*Directory listing/);
    });

    testEachClient("a model behind an endpoint", async (version) => {
      await deploy(version, "model_serving.py");
      const { text } = await caller.ask(at("ml-model-server-predict-endpoint", "/?text=not%20bad%20but%20great"), send);
      assert.equal(text, `{"prediction":1}`);
    });

    testEachClient("an API with a limit, which another program's client runs into", async (version) => {
      await deploy(version, "rate_limited_api.py");
      const url = new URL(at("rate-limited-api-api", "/api/process"));
      const { status } = await caller.ask(`${url.href}?client_id=${version}`, { ...send, body: `{"numbers": [1]}` });
      assert.equal(status, 200);
      const script = `
import json, urllib.error, urllib.request
request = urllib.request.Request("http://127.0.0.1:${url.port}/api/process?client_id=${version}", b'{"numbers": [1, 2]}',
    {"Host": "${url.host}", "Content-Type": "application/json"})
try:
    for n in range(1, 200):
        assert json.load(urllib.request.urlopen(request)) == {"result": 3}
except urllib.error.HTTPError as error:
    print(n, error.code, error.read().decode())`;
      await using program = python(platform, version, ["-c", script]);
      assert.equal((await program.finishWith(0)).trim(), `100 429 {"detail":"Rate limit exceeded"}`);
    });
  },
);

import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

import { PlatformError } from "@lydian/kit";

import { type Check, type Finding, missing, ok, warning } from "../src/checks/check.ts";
import { answerCheck, portCheck, profileCheck } from "../src/checks/platform.ts";
import {
  findPython,
  type HostPython,
  nodeCheck,
  packageIndexCheck,
  pythonCheck,
  registryCheck,
} from "../src/checks/programs.ts";
import { dataFolderCheck, diskCheck } from "../src/checks/storage.ts";
import { readClientConfig, writeClientConfig } from "../src/client-config.ts";
import { examine } from "../src/commands/doctor.ts";
import { writeRunning } from "../src/data-folder.ts";
import { ensureProfile } from "../src/identity.ts";
import { layoutOf } from "../src/paths.ts";
import { captureTerminal } from "./captured-terminal.ts";

async function stage() {
  const folder = await mkdtempDisposable(join(tmpdir(), "lydian-doctor-"));
  chmodSync(folder.path, 0o755);
  return { layout: layoutOf(join(folder.path, "data"), {}), clientFile: join(folder.path, ".modal.toml"), folder };
}

const check = (name: string, found: Awaited<ReturnType<Check["run"]>>): Check => ({
  name,
  run: () => Promise.resolve(found),
});

it("prints a line for each finding and its remedy, and ends with 1 only when something is missing", async () => {
  const findings = [check("Tea", ok("green")), check("Water", warning("cold", "boil it"))];
  const fine = captureTerminal();
  assert.equal(await examine(findings, {}, fine.terminal), 0);
  assert.equal(fine.out(), "ok       Tea    green\nwarning  Water  cold\n                -> boil it\n");
  const bad = captureTerminal();
  const broken: Check = {
    name: "Cup",
    run: () => Promise.reject(new PlatformError("it is broken", { hint: "glue it" })),
  };
  assert.equal(
    await examine([...findings, check("Pot", missing("none", "buy one")), broken], { json: true }, bad.terminal),
    1,
  );
  const report = JSON.parse(bad.out()) as { ok: boolean; findings: unknown[] };
  assert.equal(report.ok, false);
  assert.deepEqual(report.findings[2], { name: "Pot", state: "missing", detail: "none", remedy: "buy one" });
  assert.deepEqual(report.findings[3], { name: "Cup", state: "missing", detail: "it is broken", remedy: "glue it" });
});

/** What a check finds that looks at one thing. */
async function finding(check: Check): Promise<Finding> {
  const found = await check.run();
  if (!("state" in found)) throw new Error(`${check.name} found several things`);
  return found;
}

it("judges the versions of Node and Python", async () => {
  const nodes = { "26.3.9": "missing", "26.4.0": "ok", "27.0.0": "ok", "20.19.0": "missing" };
  for (const [version, state] of Object.entries(nodes)) assert.equal((await finding(nodeCheck(version))).state, state);
  const having = (...pythons: HostPython[]) =>
    finding(pythonCheck((command) => Promise.resolve(pythons.find((python) => python.command === command))));
  const python = (minor: number, makesVenvs: boolean): HostPython => ({
    command: `python3.${minor}`,
    version: [3, minor],
    makesVenvs,
  });
  assert.equal((await having()).state, "missing");
  assert.equal((await having({ command: "python3", version: [3, 9], makesVenvs: true })).state, "missing");
  assert.match((await having(python(11, false))).remedy ?? "", /python3\.11-venv/);
  assert.deepEqual(
    await having(python(11, false), python(12, true), python(13, true)),
    ok("3.12, 3.13 with venv and pip"),
  );
});

it("tells at the first Python that will do whether there is one, and says the same as when it has asked all", async () => {
  const asked: string[] = [];
  const having =
    (...pythons: HostPython[]) =>
    (command: string) => {
      asked.push(command);
      return Promise.resolve(pythons.find((python) => python.command === command));
    };
  const old: HostPython = { command: "python3", version: [3, 9], makesVenvs: true };
  const able: HostPython = { command: "python3.10", version: [3, 10], makesVenvs: true };
  assert.equal((await findPython(having(old, able))).state, "ok");
  assert.deepEqual(asked, ["/usr/bin/python3", "python3", "python3.10"]);
  for (const pythons of [[], [old], [{ ...able, makesVenvs: false }]]) {
    const verdict = await finding(pythonCheck(having(...pythons)));
    assert.deepEqual(await findPython(having(...pythons)), { name: "Python", ...verdict });
  }
});

it("asks the registry that is set, or none", async () => {
  const asked: string[] = [];
  const answer = (url: string): Promise<number> => Promise.resolve(asked.push(url));
  assert.deepEqual(await registryCheck("http://mirror.example", answer).run(), ok("mirror.example answers"));
  assert.equal((await finding(registryCheck(undefined, answer))).state, "ok");
  assert.deepEqual(asked, ["http://mirror.example/v2/"]);
  const silent = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("ENOTFOUND") }));
  assert.equal((await finding(registryCheck("http://mirror.example", silent))).state, "warning");
});

it("asks the index that pip is configured with, and shows no password", async () => {
  const asked: [string, Record<string, string>][] = [];
  const answering = (status: number) => (url: string, headers: Record<string, string>) => {
    asked.push([url, headers]);
    return Promise.resolve(status);
  };
  const mirror = () => Promise.resolve("https://me:p%40ss@mirror.example/simple/");
  assert.deepEqual(await packageIndexCheck({}, answering(200), mirror).run(), ok("https://mirror.example answers"));
  const [url, headers] = asked[0] ?? assert.fail("nothing asked");
  assert.equal(url, "https://mirror.example/simple/pip/");
  assert.equal(headers["authorization"], `Basic ${Buffer.from("me:p@ss").toString("base64")}`);
  assert.equal((await finding(packageIndexCheck({}, answering(404), mirror))).state, "warning");
  const silent = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("ENOTFOUND") }));
  const away = await finding(packageIndexCheck({}, silent, () => Promise.resolve(undefined)));
  assert.equal(away.detail, "https://pypi.org does not answer: ENOTFOUND");
});

it("looks at the data folder and its disk, also before the folder exists", async () => {
  const { layout, folder } = await stage();
  await using _folder = folder;
  assert.deepEqual(await finding(dataFolderCheck(layout)), ok(`${layout.root} can be made`));
  assert.match((await finding(diskCheck(layout))).detail, /^\d+\.\d GiB free on /);
  writeFileSync(layout.root, "a file");
  assert.equal((await finding(dataFolderCheck(layout))).state, "missing");
});

it("knows whose the port is, and whether the platform answers", async () => {
  const { layout, folder } = await stage();
  await using _folder = folder;
  assert.equal((await finding(answerCheck(layout))).state, "warning");
  const platform = createServer((_request, response) => response.writeHead(404).end()).listen(0, "127.0.0.1");
  await once(platform, "listening");
  const { port } = platform.address() as { port: number };
  assert.equal((await finding(portCheck(layout, "127.0.0.1", port))).state, "missing");
  await writeRunning(layout, { pid: process.pid, url: `http://127.0.0.1:${port}` });
  assert.equal((await finding(portCheck(layout, "127.0.0.1", port))).state, "ok");
  assert.deepEqual(await finding(answerCheck(layout)), ok(`answers at http://127.0.0.1:${port}`));
  platform.close();
  platform.closeAllConnections();
  assert.equal((await finding(answerCheck(layout))).state, "missing");
  assert.equal((await finding(portCheck(layout, "127.0.0.1", port))).detail, `${port} is free`);
});

it("says whether the clients' active profile is the platform's", async () => {
  const { layout, clientFile, folder } = await stage();
  await using _folder = folder;
  assert.match((await finding(profileCheck(layout, clientFile))).remedy ?? "", /lydian up/);
  const profile = await ensureProfile(layout.profile, "http://127.0.0.1:8700");
  assert.match((await finding(profileCheck(layout, clientFile))).remedy ?? "", /lydian setup/);
  await writeClientConfig(await readClientConfig(clientFile), "lydian", profile);
  assert.deepEqual(await finding(profileCheck(layout, clientFile)), ok(`"lydian" in ${clientFile} is active`));
  await ensureProfile(layout.profile, "http://127.0.0.1:9000");
  assert.equal((await finding(profileCheck(layout, clientFile))).state, "warning");
});

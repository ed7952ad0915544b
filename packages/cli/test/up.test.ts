import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { mkdir, mkdtempDisposable, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

import { hasCode } from "@lydian/kit";
import { limitsSchema, serverConfigSchema } from "@lydian/server";
import { workerConfigSchema } from "@lydian/worker";

import { readProfile } from "../src/identity.ts";
import { captureTerminal } from "./captured-terminal.ts";
import { runProgram } from "../src/program.ts";

const launcher = fileURLToPath(import.meta.resolve("./lydian-with-fakes.ts"));

const dataFolder = (): Promise<{ path: string } & AsyncDisposable> => mkdtempDisposable(join(tmpdir(), "lydian-up-"));

/** `lydian up` with stand-ins and what needs nothing of the host, as a process; killed at the end if it still runs. */
function lydianUp(args: string[], env: Record<string, string> = {}) {
  const child = spawn(
    process.execPath,
    ["--conditions=lydian-source", launcher, "up", "--runtime", "process", ...args],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    },
  );
  const texts = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (texts.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (texts.err += chunk.toString()));
  const closed = once(child, "close").then(([code]) => code as number | null);
  return {
    child,
    texts,
    closed,
    ready: readyLine(child),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

async function readyLine(child: ChildProcess): Promise<string | undefined> {
  if (child.stdout === null) return undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("Lydian is ready at ")) return line.slice("Lydian is ready at ".length);
  }
  return undefined;
}

interface Seen {
  pid: number;
  configuration: Record<string, unknown>;
}

const seen = (data: string, child: "server" | "worker"): Seen =>
  JSON.parse(readFileSync(join(data, child, "seen.json"), "utf8")) as Seen;

/** Whether a process runs; one that has ended has no program any more, also before its parent has noticed. */
function exists(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) !== "";
  } catch (error) {
    assert.ok(hasCode(error, "ENOENT"));
    return false;
  }
}

it("says where it is, configures its children, and ends clean and soon at Ctrl-C", async () => {
  await using data = await dataFolder();
  await using up = lydianUp([
    "--port",
    "0",
    "--data",
    data.path,
    "--workspace",
    "acme",
    "--log-level",
    "warn",
    "--limits",
    '{"appContainers":8}',
  ]);
  const url = await up.ready;
  assert.match(url ?? up.texts.err, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  const port = Number(new URL(url ?? "").port);
  const profile = await readProfile(join(data.path, "profile.toml"));
  const [server, worker] = [seen(data.path, "server"), seen(data.path, "worker")];
  const { ownerToken, workerSecret, runAs, ...rest } = server.configuration;
  const root = process.getuid?.() === 0;
  assert.deepEqual(rest, {
    data: join(data.path, "server"),
    publicUrl: url,
    listenFd: 3,
    workspace: "acme",
    logLevel: "warn",
    limits: limitsSchema.parse({ appContainers: 8 }),
  });
  assert.equal((ownerToken as { id: string }).id, profile?.tokenId);
  assert.match(String(workerSecret), /^\w{32,}$/);
  assert.equal(runAs !== undefined, root);
  assert.deepEqual(
    { ...worker.configuration, cache: "" },
    {
      data: join(data.path, "worker"),
      cache: "",
      server: { host: "127.0.0.1", port, takesConnections: true },
      runtime: { name: "process" },
      workerSecret,
      logLevel: "warn",
    },
  );
  serverConfigSchema.parse(server.configuration);
  workerConfigSchema.parse(worker.configuration);
  assert.equal(profile?.serverUrl, url);
  assert.equal(statSync(join(data.path, "profile.toml")).mode & 0o777, 0o600);
  assert.match(up.texts.err, /Runtime "process": .* without isolation/);
  assert.ok(!readFileSync(join(data.path, "server", "seen.json"), "utf8").includes(profile?.tokenSecret ?? "?"));

  const asked = performance.now();
  up.child.kill("SIGINT");
  assert.equal(await up.closed, 0);
  assert.ok(performance.now() - asked < 1500);
  assert.deepEqual(
    [exists(server.pid), exists(worker.pid), existsSync(join(data.path, "up.json"))],
    [false, false, false],
  );
  assert.match(
    up.texts.out,
    /MODAL_CONFIG_PATH=\S+profile\.toml modal run app\.py\n.*lydian run app\.ts\n.*lydian setup --data /,
  );
});

const asRoot = { skip: process.getuid?.() === 0 ? false : "needs root" };

it("gives the token to who started it with sudo", asRoot, async () => {
  await using data = await dataFolder();
  await using up = lydianUp(["--port", "0", "--data", data.path], { SUDO_UID: "12345", SUDO_GID: "12346" });
  assert.ok(await up.ready, up.texts.err);
  const { uid, gid, mode } = statSync(join(data.path, "profile.toml"));
  assert.deepEqual([uid, gid, mode & 0o777], [12_345, 12_346, 0o600]);
});

it("refuses a second start on the same folder, and names the first", async () => {
  await using data = await dataFolder();
  await using first = lydianUp(["--port", "0", "--data", data.path]);
  const url = await first.ready;
  await using second = lydianUp(["--port", "0", "--data", data.path]);
  assert.equal(await second.closed, 1);
  const who = `a platform is already running on ${data.path} (process ${first.child.pid}, ${url})`;
  assert.ok(second.texts.err.includes(who), second.texts.err);
  assert.match(second.texts.err, /Hint: .*--data/);
});

it("loses nothing by kill -9: its children end, and the next start has the same token", async () => {
  await using data = await dataFolder();
  await using first = lydianUp(["--port", "0", "--data", data.path]);
  await first.ready;
  const before = await readProfile(join(data.path, "profile.toml"));
  const pids = [seen(data.path, "server").pid, seen(data.path, "worker").pid];
  first.child.kill("SIGKILL");
  await first.closed; // stderr is theirs too: it closes when they are gone
  assert.deepEqual(pids.map(exists), [false, false]);
  await using second = lydianUp(["--port", "0", "--data", data.path]);
  await second.ready;
  const after = await readProfile(join(data.path, "profile.toml"));
  assert.deepEqual([after?.tokenId, after?.tokenSecret], [before?.tokenId, before?.tokenSecret]);
});

it("ends with 1 and the child's own words when a child cannot start", async () => {
  await using data = await dataFolder();
  await using up = lydianUp(["--port", "0", "--data", data.path], { FAKE_SERVER: "fails" });
  assert.equal(await up.closed, 1);
  assert.match(up.texts.err, /^Error: the server cannot find its shoes\nHint: look under the bed$/m);
  assert.equal(up.texts.out, "");
});

it("stops at once at a second Ctrl-C", async () => {
  await using data = await dataFolder();
  await using up = lydianUp(["--port", "0", "--data", data.path], { FAKE_WORKER: "is deaf" });
  await up.ready;
  const { pid } = seen(data.path, "worker");
  up.child.kill("SIGINT");
  await once(up.child.stderr, "data"); // that it stops
  setTimeout(() => up.child.kill("SIGINT"), 600); // sooner it would count as the same wish
  assert.equal(await up.closed, 1);
  assert.equal(exists(pid), false);
});

/** `lydian ...` in this process, for command lines that are refused before anything starts. */
async function refused(...args: string[]): Promise<{ status: number; err: string }> {
  const { terminal, err } = captureTerminal({ HOME: "/nonexistent" });
  return { status: await runProgram(args, terminal), err: err() };
}

it("names the remedy when the port is taken", async () => {
  await using data = await dataFolder();
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const { status, err } = await refused("up", "--port", String(port), "--data", data.path);
  other.close();
  assert.equal(status, 1);
  assert.match(
    err,
    new RegExp(`another program listens on 127.0.0.1 port ${port}\nHint: choose another port with --port`),
  );
});

it("listens beyond loopback only with TLS or --insecure", async () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.7"]) {
    const { status, err } = await refused("up", "--host", host, "--data", "/nonexistent/lydian");
    assert.equal(status, 1);
    assert.match(err, /can be reached from other machines[^]*--tls-cert[^]*--insecure/);
  }
});

it("touches no folder that is somebody else's", async () => {
  await using folder = await dataFolder();
  await mkdir(join(folder.path, "photos"));
  const { status, err } = await refused("up", "--port", "0", "--data", folder.path);
  assert.equal(status, 1);
  assert.match(err, /is not empty and is not a data folder of Lydian/);
  await writeFile(join(folder.path, "file"), "");
  assert.match((await refused("up", "--data", join(folder.path, "file"))).err, /cannot use .* as data folder/);
});

it("takes TLS files only together, and only readable ones", async () => {
  assert.equal((await refused("up", "--tls-cert", "/nonexistent/cert.pem")).status, 2);
  const both = await refused("up", "--tls-cert", "/nonexistent/cert.pem", "--tls-key", "/nonexistent/key.pem");
  assert.equal(both.status, 1);
  assert.match(both.err, /cannot read the TLS file \/nonexistent\/cert\.pem/);
});

it("hands the key for secrets to the server alone, from a variable or a file", async () => {
  await using data = await dataFolder();
  const keyOf = async (env: Record<string, string>): Promise<unknown> => {
    await using up = lydianUp(["--port", "0", "--data", data.path], env);
    assert.ok(await up.ready, up.texts.err);
    const { pid, configuration } = seen(data.path, "server");
    for (const each of [pid, seen(data.path, "worker").pid]) {
      assert.equal(readFileSync(`/proc/${each}/environ`, "utf8").includes("LYDIAN_SECRETS_KEY="), false);
      assert.equal(readFileSync(`/proc/${each}/cmdline`, "utf8").includes("a-key"), false);
    }
    assert.equal(JSON.stringify(seen(data.path, "worker").configuration).includes("a-key"), false);
    up.child.kill("SIGTERM");
    assert.equal(await up.closed, 0);
    return configuration["secretsKey"];
  };
  assert.deepEqual(await keyOf({ LYDIAN_SECRETS_KEY: "a-key" }), { text: "a-key", from: "LYDIAN_SECRETS_KEY" });
  const file = join(data.path, "given");
  await writeFile(file, "a-key\n");
  assert.deepEqual(await keyOf({ LYDIAN_SECRETS_KEY_FILE: file }), { text: "a-key\n", from: file });
  assert.equal(await keyOf({}), undefined);
  await using up = lydianUp(["--port", "0", "--data", data.path], { LYDIAN_SECRETS_KEY_FILE: `${file}-none` });
  assert.equal(await up.closed, 1);
  assert.match(up.texts.err, /cannot read the file that LYDIAN_SECRETS_KEY_FILE names.*\n.*leave the variable out/);
});

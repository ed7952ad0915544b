/** The life of a deployed app by the client's commands: versions, what of them is in effect, logs, the end. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";

import { platformOfFile, temporaryFolder, testEachClient } from "@lydian/testkit";

import { app, outcomesOf } from "./stories.ts";

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const platform = await platformOfFile();

/** A file with the app as it is in this edition. */
async function write(edition: string): Promise<string> {
  const text = await readFile(app("versions.py"), "utf8");
  const place = join(folder.path, edition);
  await mkdir(place, { recursive: true });
  await writeFile(join(place, "versions.py"), text.replace('EDITION = "first"', `EDITION = "${edition}"`));
  return join(place, "versions.py");
}

/** Python that prints what a call answers. */
const call = (name: string, args = ""): string =>
  `import modal; print(*modal.Function.from_name("${name}", "edition").remote(${args}))`;

/** The same of a version that is not in effect; clients before 1.6 cannot ask for one. */
const callPinned = (name: string, version: number): string =>
  `import modal; print(*modal.Function.from_name("${name}", "edition", version=${version}).remote())`;

const fromCode = (name: string): string => `
import modal
app = modal.App("${name}")
@app.function(serialized=True)
def edition():
    return "from", "code"
app.deploy(tag="by-hand")
print(*modal.Function.from_name("${name}", "edition").remote())
`;

/** A call that runs while its container is taken away. */
const interrupted = (name: string, file: string, strategy: readonly string[]): string => `
import modal, subprocess, sys
edition = modal.Function.from_name("${name}", "edition")
running = edition.spawn(3)
print(edition.get_current_stats().backlog >= 0)
subprocess.run([sys.executable, "-m", "modal", "deploy", *${JSON.stringify(["--name", name, ...strategy, file])}], check=True, capture_output=True)
print(*running.get())
`;

/** What a command prints with --json; titles as the newest client writes them. */
function rowsOf(printed: string): Record<string, string | null>[] {
  const rows = JSON.parse(printed) as Record<string, string | null>[];
  const key = (title: string): string => title.toLowerCase().replaceAll(" ", "_");
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([title, value]) => [key(title), value])));
}

testEachClient("a deployed app is deployed again, rolled back and over, listed, read and stopped", async (version) => {
  const name = `versions-${version}`;
  const [first, second, broken] = [await write("first"), await write("second"), await write("broken")];
  const isOld = version.startsWith("1.3.");
  const yes = isOld ? [] : ["--yes"];
  const deploy = ["deploy", "--name", name];
  const does: Record<string, string[]> = {
    deployed: [...deploy, "--tag", "one", first],
    "first answers": ["-c", call(name)],
    unchanged: [...deploy, first],
    "deployed again": [...deploy, second],
    "second answers": ["-c", call(name)],
    "half a deployment": [...deploy, broken],
    "second answers still": ["-c", call(name)],
    "the first is asked for": isOld ? ["--version"] : ["-c", callPinned(name, 1)],
    "rolled back": ["app", "rollback", name, "v1"],
    "first answers again": ["-c", call(name)],
    "no such version": ["app", "rollback", name, "v9"],
    recreated: ["-c", interrupted(name, second, isOld ? [] : ["--strategy", "recreate"])],
    history: ["app", "history", name, "--json"],
    list: ["app", "list", "--json"],
    "all logs": isOld ? ["app", "list"] : ["app", "logs", name, "--tail", "1000"],
    found: isOld ? ["app", "list"] : ["app", "logs", name, "--since", "1h", "--search", "first edition"],
    "by module": ["deploy", "-m", "packaged.app", "--name", `${name}-module`],
    "from code": ["-c", fromCode(`${name}-code`)],
    stopped: ["app", "stop", name, ...yes],
    gone: ["-c", call(name)],
    "logs of the stopped": isOld ? ["app", "list"] : ["app", "logs", name, "--source", "stdout"],
  };
  const options = { cwd: join(app("commands.py"), "..") };
  const { said, refused } = await outcomesOf(platform, version, does, options);

  assert.match(said("deployed"), /App deployed in/);
  const [edition, firstContainer] = said("first answers").split(" ");
  assert.equal(edition, "first");
  if (!isOld) assert.match(said("unchanged"), /no changes detected/);
  assert.match(said("second answers"), /^second /);
  refused("half a deployment", /GPU that no worker has/);
  assert.equal(said("second answers still"), said("second answers"), "in the same container");
  if (!isOld) assert.match(said("the first is asked for"), /^first /);
  assert.match(said("rolled back"), /rollback successful/);
  const [again, container] = said("first answers again").split(" ");
  assert.equal(again, "first");
  assert.notEqual(container, firstContainer);
  refused("no such version", /has no version v9.*modal app history/);
  assert.match(
    said("recreated"),
    isOld ? /^first ta-\w+$/m : /^second ta-\w+$/m,
    "it ends where it is, or begins anew",
  );

  const history = rowsOf(said("history"));
  assert.deepEqual(
    history.map((each) => [each["version"], each["tag"]]),
    [
      ["v4", null],
      ["v3", "one"],
      ["v2", null],
      ["v1", "one"],
    ],
  );
  assert.deepEqual([history[0]?.["client"], typeof history[0]?.["deployed_by"]], [version, "string"]);
  const listed = rowsOf(said("list")).filter((each) => each["description"] === name);
  assert.deepEqual(
    listed.map((each) => each["state"]),
    ["deployed"],
  );
  if (!isOld) {
    assert.match(said("all logs"), /the first edition works[^]*the second edition works[^]*runs every 1 day/);
    assert.match(said("found"), /^the first edition works$/m);
    assert.doesNotMatch(said("found"), /second/);
  }
  said("by module");
  assert.match(said("from code"), /^from code$/m);
  assert.equal(said("stopped"), "");
  refused("gone", /is not deployed in environment "main"/);
  if (!isOld) assert.match(said("logs of the stopped"), /^the second edition works$/m);
});

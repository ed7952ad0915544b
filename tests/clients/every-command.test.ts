/** Every command that the newest client's help shows, and what it answers here. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { missingClient, modal, newestClient, platformOfFile, python } from "@lydian/testkit";

import { app, outcomesOf, runCommands } from "./stories.ts";

const platform = await platformOfFile();

/** It works with these arguments; it is refused, in these words; or why it is not given here. */
type Answer = { works: readonly string[] } | { refused: RegExp; args: readonly string[] } | { not: string };

const works = (...args: string[]): Answer => ({ works: args });
const refused = (words: RegExp, ...args: string[]): Answer => ({ refused: words, args });
const elsewhere = (file: string): Answer => ({ not: `told in ${file}` });

const [noBilling, noEndpoints, oneUser] = [
  /There is no billing/,
  /Endpoints of language models, and what only they are asked, are not there/,
  /A platform has one user/,
];
const theirs = "it asks servers of Modal's own";
const browser = "it opens a page of Modal's own";

/** In the order in which they are given. */
const answers: Readonly<Record<string, Answer>> = {
  deploy: works("--name", "tree", app("versions.py")),
  "app list": works("--json"),
  "app info": works("tree", "--json"),
  "app history": works("tree", "--json"),
  "app logs": works("tree"),
  "app rollover": works("tree"),
  "app rollback": works("tree", "v1"),
  "app stats": works("tree", "--json"),
  "app dashboard": { not: browser },
  "function info": works("tree/edition"),
  "function logs": works("tree/edition"),
  "function variants": works("tree/edition", "--json"),
  "function calls": works("tree/edition", "--json", "--since", "1h"),
  "function stats": works("tree/edition", "--json"),
  "function metrics": works("tree/edition", "--group", "calls", "--csv"),
  "function autoscaler settings": works("tree/edition"),
  "function autoscaler update": works("tree/edition", "--max-containers", "2"),
  "container list": works("--json"),
  "container logs": refused(/does not exist/, "ta-01M8P86P8920GA74EREM6V9NF0"),
  "container stop": refused(/does not exist/, "ta-01M8P86P8920GA74EREM6V9NF0", "--yes"),
  "container exec": refused(/does not exist/, "--no-pty", "ta-01M8P86P8920GA74EREM6V9NF0", "true"),
  "server deploy": {
    not: "it takes an image from a registry first, whose own command is the server: that is refused, as review.test.ts shows",
  },
  "server info": works("servers/Open"),
  "server logs": works("servers/Open"),
  "server stats": works("servers/Open", "--json"),
  "server requests": works("servers/Open", "--since", "1h", "--json"),
  "server metrics": works("servers/Open", "--json"),
  "server autoscaler settings": works("servers/Open"),
  "server autoscaler update": works("servers/Open", "--max-containers", "1"),
  "app stop": works("tree", "--yes"),

  "environment create": works("tree"),
  "environment list": works("--json"),
  "environment update": works("tree", "--set-web-suffix", "t"),
  "environment roles list": refused(oneUser, "tree"),
  "environment roles update": refused(oneUser, "tree", "me", "--role", "viewer"),
  "environment billing summary": refused(noBilling, "tree"),
  "environment billing report": refused(noBilling, "tree", "--for", "last month"),
  "environment delete": works("tree", "--yes"),

  "dict create": works("tree"),
  "dict list": works("--json"),
  "dict get": works("tree", "key"),
  "dict items": works("tree"),
  "dict clear": works("tree", "--yes"),
  "dict delete": works("tree", "--yes"),
  "queue create": works("tree"),
  "queue list": works("--json"),
  "queue len": works("tree"),
  "queue peek": works("tree"),
  "queue clear": works("tree", "--yes"),
  "queue delete": works("tree", "--yes"),
  "secret create": works("tree", "A=1"),
  "secret list": works("--json"),
  "secret delete": works("tree", "--yes"),
  "volume create": works("tree"),
  "volume list": works("--json"),
  "volume put": works("tree", app("versions.py"), "/one.py"),
  "volume ls": works("tree", "/"),
  "volume cp": works("tree", "one.py", "two.py"),
  "volume get": elsewhere("volumes.test.ts"),
  "volume rm": works("tree", "two.py"),
  "volume rename": works("tree", "tree-2", "--yes"),
  "volume delete": works("tree-2", "--yes"),
  "volume dashboard": { not: browser },
  "image names list": works("--json"),
  "image names delete": refused(/does not exist/, "tree:latest", "--yes"),
  "image logs": refused(/does not exist/, "im-00VcSXZtEWdP75yZ5BlA3I"),
  "image build": elsewhere("image-commands.test.ts"),
  "image pull": elsewhere("image-commands.test.ts"),

  "token info": works(),
  "token new": elsewhere("environments.test.ts"),
  "token rotate": elsewhere("environments.test.ts, as token new"),
  "token set": elsewhere("environments.test.ts"),
  setup: elsewhere("environments.test.ts, as token new"),
  "profile current": works(),
  "profile list": works(),
  "profile activate": { not: "it changes nothing but a file of the client's" },
  "config show": works(),
  "config set-environment": { not: "it changes nothing but a file of the client's" },
  dashboard: works(),
  "workspace settings list": works(),
  "workspace settings set": works("default-environment", "main"),
  "workspace members list": works(),
  "workspace member-tokens list": works("--json"),
  "workspace member-tokens disable": refused(/There is no token/, "ak-0000000000000000000000", "--yes"),
  "workspace member-tokens enable": refused(/There is no token/, "ak-0000000000000000000000", "--yes"),
  "workspace member-tokens delete": refused(/There is no token/, "ak-0000000000000000000000", "--yes"),
  "workspace service-users list": refused(oneUser),
  "workspace service-users create": refused(oneUser, "robot"),
  "workspace service-users info": refused(oneUser, "robot"),
  "workspace service-users delete": refused(oneUser, "robot", "--yes"),
  "workspace service-users set-role": refused(oneUser, "robot", "main", "viewer"),
  "workspace proxy-tokens create": works("--name", "tree"),
  "workspace proxy-tokens list": works("--json"),
  "workspace proxy-tokens update": refused(/token/i, "wk-0000000000000000000000", "name", "x"),
  "workspace proxy-tokens allow": refused(
    /A proxy token opens the web functions of all environments/,
    "wk-0000000000000000000000",
    "main",
  ),
  "workspace proxy-tokens revoke": refused(
    /A proxy token opens the web functions of all environments/,
    "wk-0000000000000000000000",
    "main",
  ),
  "workspace proxy-tokens delete": refused(/token/i, "wk-0000000000000000000000", "--yes"),

  "billing rates": refused(noBilling),
  "billing report": refused(noBilling, "--for", "last month"),
  "billing summary": refused(noBilling),
  changelog: { not: theirs },
  "skills install": { not: theirs },
  "skills show": { not: theirs },
  "skills update": { not: theirs },
  "endpoint create": refused(noEndpoints, "--model", "x"),
  "endpoint library": refused(noEndpoints),
  "endpoint list": refused(noEndpoints),
  "endpoint info": refused(noEndpoints, "tree"),
  "endpoint logs": refused(noEndpoints, "tree"),
  "endpoint stats": refused(noEndpoints, "tree"),
  "endpoint stop": refused(noEndpoints, "tree", "--yes"),
  shell: elsewhere("exec.test.ts"),
  serve: elsewhere("web.test.ts"),
  curl: { not: "it runs curl" },
};

test(
  "every command answers as it is written here",
  { skip: missingClient(newestClient), timeout: 300_000 },
  async () => {
    await using walk = python(platform, newestClient, [app("every_command.py")]);
    const commands = (await walk.finishWith(0)).trim().split("\n");
    assert.deepEqual(Object.keys(answers).toSorted(), commands.toSorted(), "the commands that the help shows");
    await using servers = modal(platform, newestClient, ["deploy", app("web_servers.py")]);
    await servers.finishWith(0, 120_000);
    const given = Object.entries(answers).filter(([, answer]) => !("not" in answer));
    const lines = given.map(([command, answer]) => [
      ...command.split(" "),
      ...("works" in answer ? answer.works : "args" in answer ? answer.args : []),
    ]);
    const ends = await runCommands(platform, newestClient, lines);
    const wrong = given.flatMap(([command, answer], n) => {
      const [code, output] = ends[n] ?? [1, "it did not run"];
      const isRight = "works" in answer ? code === 0 : "refused" in answer && code !== 0 && answer.refused.test(output);
      return isRight ? [] : [`${command}: ${code}\n${output}`];
    });
    assert.equal(wrong.join("\n\n"), "");
  },
);

const calls = `
import modal
edition = modal.Function.from_name("counted", "edition")
print([edition.remote()[0] for _ in range(2)])
try:
    edition.remote(unknown=1)
except TypeError:
    print("and a wrong one")
`;

/** What a container has used is told by the minute, and at its end. */
const endsItsContainer = `
import json, subprocess, sys, time
def modal(*args):
    return subprocess.run([sys.executable, "-m", "modal", *args], check=True, capture_output=True, text=True).stdout
def containers():
    rows = [{key.lower().replace(" ", "_"): value for key, value in row.items()} for row in json.loads(modal("container", "list", "--json"))]
    return [row["container_id"] for row in rows if row["app_name"] == "counted"]
for container in containers():
    modal("container", "stop", container, "--yes")
deadline = time.monotonic() + 30
while containers() and time.monotonic() < deadline:
    time.sleep(0.1)
`;

test("what was called is counted and listed", { skip: missingClient(newestClient) }, async () => {
  const { said } = await outcomesOf(platform, newestClient, {
    deployed: ["deploy", "--name", "counted", app("versions.py")],
    called: ["-c", calls],
    app: ["app", "stats", "counted", "--json"],
    ended: ["-c", endsItsContainer],
    function: ["function", "stats", "counted/edition", "--json"],
    calls: ["function", "calls", "counted/edition", "--json"],
  });
  assert.match(said("called"), /and a wrong one/);
  const { functions, deployment_count: deployments } = JSON.parse(said("app"));
  assert.deepEqual(functions.by_name.edition.counts, {
    calls: { total: 3, succeeded: 2, failed: 1 },
    containers: { errors: 0, total: 1 },
  });
  assert.equal(deployments, 1);
  const { input_success_count: succeeded, input_failure_count: failed, ...stats } = JSON.parse(said("function"));
  assert.deepEqual([succeeded, failed, stats.container_started_count], [2, 1, 1]);
  assert.ok(stats.input_percentile_stats["Execution time (s)"].percentiles.p50 < 10);
  const { "CPU Usage (cores)": cpu, "Memory Usage (GiB)": memory } = stats.container_percentile_stats;
  assert.ok(cpu.percentiles.p50 > 0.001 && memory.percentiles.p50 > 0.005, JSON.stringify({ cpu, memory }));
  const listed = JSON.parse(said("calls")) as { status: string }[];
  assert.deepEqual(
    listed.map(({ status }) => status.toLowerCase()),
    ["failure", "success", "success"],
  );
});

/** Every command that the newest client's help shows, and what it answers here. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { missingClient, newestClient, platformOfFile, python } from "@lydian/testkit";

import { app, runCommands } from "./stories.ts";

const platform = await platformOfFile();

/** It works with these arguments; it is refused, in these words; or why it is not given here. */
type Answer = { works: readonly string[] } | { refused: RegExp; args: readonly string[] } | { not: string };

const works = (...args: string[]): Answer => ({ works: args });
const refused = (words: RegExp, ...args: string[]): Answer => ({ refused: words, args });
const elsewhere = (file: string): Answer => ({ not: `told in ${file}` });

const [noBilling, noServers, oneUser, noStatistics] = [
  /There is no billing/,
  /Statistics of servers and LLM endpoints are not there/,
  /A platform has one user/,
  /Statistics over time are not kept here/,
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
  "app stats": refused(noStatistics, "tree"),
  "app dashboard": { not: browser },
  "function info": works("tree/edition"),
  "function logs": works("tree/edition"),
  "function variants": works("tree/edition", "--json"),
  "function calls": works("tree/edition", "--json", "--since", "1h"),
  "function stats": refused(noStatistics, "tree/edition"),
  "function metrics": refused(noStatistics, "tree/edition"),
  "function autoscaler settings": works("tree/edition"),
  "function autoscaler update": works("tree/edition", "--max-containers", "2"),
  "container list": works("--json"),
  "container logs": refused(/does not exist/, "ta-01M8P86P8920GA74EREM6V9NF0"),
  "container stop": refused(/does not exist/, "ta-01M8P86P8920GA74EREM6V9NF0", "--yes"),
  "container exec": refused(/does not exist/, "--no-pty", "ta-01M8P86P8920GA74EREM6V9NF0", "true"),
  "server deploy": {
    not: "it takes an image from a registry first, whose own command is the server: that is refused, as review.test.ts shows",
  },
  "server info": refused(/is a Function/, "tree/edition"),
  "server logs": refused(/is a Function/, "tree/edition"),
  "server stats": refused(/is a Function/, "tree/edition"),
  "server requests": refused(/is a Function/, "tree/edition"),
  "server metrics": refused(/is a Function/, "tree/edition"),
  "server autoscaler settings": refused(/is a Function/, "tree/edition"),
  "server autoscaler update": refused(/is a Function/, "tree/edition", "--max-containers", "1"),
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
  "endpoint create": refused(noServers, "--model", "x"),
  "endpoint library": refused(noServers),
  "endpoint list": refused(noServers),
  "endpoint info": refused(noServers, "tree"),
  "endpoint logs": refused(noServers, "tree"),
  "endpoint stats": refused(noServers, "tree"),
  "endpoint stop": refused(noServers, "tree", "--yes"),
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

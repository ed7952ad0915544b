/**
 * An older build of the platform is killed and today's takes over its folder: its containers go on with what they were at, and
 * all that it kept is there. The build is the checkout's own at LYDIAN_UPGRADE_FROM, a revision of its history.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { modal, newestClient, Platform, type Program, python, repositoryRoot, temporaryFolder } from "@lydian/testkit";

const app = join(import.meta.dirname, "apps", "upgraded.py");

/** Until there is a release, the last commit. */
const from = process.env["LYDIAN_UPGRADE_FROM"] ?? "HEAD";

const patienceMs = 120_000;

function hasRevision(): boolean {
  try {
    execFileSync("git", ["-C", repositoryRoot, "cat-file", "-e", `${from}^{commit}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const skip = hasRevision() ? false : `the history of this checkout has no ${from}`;

test(`from ${from} on`, { skip, timeout: 900_000 }, async () => {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o711); // the server is another user than the test
  const [checkout, data] = [`${folder.path}/old`, `${folder.path}/data`];
  execFileSync("git", ["clone", "-q", repositoryRoot, checkout]);
  execFileSync("git", ["-C", checkout, "checkout", "-q", from]);
  execFileSync("node", [`${checkout}/scripts/setup.mjs`], { stdio: "ignore" });

  await using old = await Platform.start({ checkout, data });
  const said = async (run: Program): Promise<string[]> => {
    await using program = run;
    return (await program.finishWith(0, patienceMs)).trim().split(/\s+/);
  };
  await said(modal(old, newestClient, ["deploy", app]));
  const [container = "", call = ""] = await said(python(old, newestClient, [app, "spawn", "30"]));
  await old.kill("supervisor");
  await old.ended();

  await using today = await Platform.start({ data });
  const [ranIn, word, answersIn] = await said(python(today, newestClient, [app, "get", call]));
  assert.equal(word, "kept");
  assert.equal(ranIn, container, "the call ends where it began");
  assert.equal(answersIn, container, "and its container takes the next one");
  const log = await said(modal(today, newestClient, ["app", "logs", "upgraded", "--since", "1h"]));
  assert.equal(log.filter((word) => word === "begins").length, 3, "each of the calls began once");
  assert.deepEqual((await said(modal(today, newestClient, ["volume", "ls", "upgraded"]))).toSorted(), ["0", "30"]);
});

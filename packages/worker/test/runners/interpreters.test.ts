import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it, type TestContext } from "node:test";

import { Interpreters } from "../../src/runners/interpreters.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** Folders with programs that answer as a Python of some version does; `executable` names another as a shim would. */
async function host(t: TestContext, programs: Record<string, { minor: string; executable?: string } | "broken">) {
  const root = await temporaryFolder(t);
  const folders = new Set<string>();
  for (const [name, answer] of Object.entries(programs)) {
    const file = join(root, name);
    await mkdir(dirname(file), { recursive: true });
    folders.add(dirname(file));
    const lines =
      answer === "broken" ? ["exit 127"] : [`echo ${answer.minor}`, `echo ${join(root, answer.executable ?? name)}`];
    await writeFile(file, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  }
  return { root, interpreters: new Interpreters(async () => [...folders, join(root, "not-there")]) };
}

it("takes the first on the path, sees through a shim, and passes over what does not answer", async (t) => {
  const { root, interpreters } = await host(t, {
    "shims/python3.11": { minor: "3.11", executable: "pyenv/3.11.7/bin/python3.11" },
    "shims/python3.13": "broken",
    "usr/python3.11": { minor: "3.11" },
    "usr/python3.13": { minor: "3.13" },
    "pyenv/3.11.7/bin/python3.11": { minor: "3.11" },
  });
  assert.equal((await interpreters.find("3.11")).program, join(root, "pyenv/3.11.7/bin/python3.11"));
  assert.equal((await interpreters.find("3.13")).program, join(root, "usr/python3.13"));
});

it("finds a minor that only python3 has, and does not take another one's word", async (t) => {
  const { root, interpreters } = await host(t, {
    "a/python3.12": { minor: "3.9" },
    "a/python3": { minor: "3.12" },
  });
  assert.equal((await interpreters.find("3.12")).program, join(root, "a/python3"));
});

it("names the minors that are there when one is missing", async (t) => {
  const { interpreters } = await host(t, {
    "a/python3.9": { minor: "3.9" },
    "a/python3.11": { minor: "3.11" },
    "a/python3.10": "broken",
  });
  await assert.rejects(interpreters.find("3.14"), {
    message: "there is no Python 3.14 on this host; it has 3.9, 3.11",
    hint: /install Python 3\.14/,
  });
  await assert.rejects(new Interpreters(async () => []).find("3.14"), /it has no Python 3$/);
  await assert.rejects(new Interpreters(async () => []).any(), /no Python 3\.8 or newer/);
});

it("finds the real ones of this host", async (t) => {
  const interpreters = new Interpreters();
  const { program, minor } = await interpreters.any();
  t.diagnostic(`${program} is ${minor}`);
  assert.equal((await interpreters.find(minor)).minor, minor);
});

it("sees a Python that is installed while it runs", async (t) => {
  const { root, interpreters } = await host(t, { "a/python3.11": { minor: "3.11" } });
  await assert.rejects(interpreters.find("3.12"));
  await symlink(join(root, "a/python3.11"), join(root, "a/python3.13")); // answers 3.11 all the same
  await assert.rejects(interpreters.find("3.13"));
  await writeFile(join(root, "a/python3.12"), `#!/bin/sh\necho 3.12\necho ${join(root, "a/python3.12")}\n`, {
    mode: 0o755,
  });
  assert.equal((await interpreters.find("3.12")).minor, "3.12");
});

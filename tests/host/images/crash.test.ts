import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { isRunning, listProcesses, type ProcessEntry, until } from "@lydian/testkit";

import { LayerStore, parseMountInfo } from "@lydian/worker/src/layers/index";
import { cache, imagesIn, needsRoot, pythonStack, scratchFolder, waiter } from "./scratch.ts";

const script = fileURLToPath(new URL("half-bootstrap.ts", import.meta.url));

function descendants(pid: number): ProcessEntry[] {
  const all = listProcesses();
  const found = all.filter(({ parent }) => parent === pid);
  for (const { pid: parent } of found) found.push(...all.filter((entry) => entry.parent === parent));
  return found;
}

const isNamed = ({ command }: ProcessEntry, name: RegExp): boolean => name.test(command.slice(0, 4).join(" "));

/** The processes below this one, when one of them is called so. */
const begun = (pid: number, name: RegExp): Promise<ProcessEntry[]> =>
  until(
    60_000,
    () => {
      const found = descendants(pid);
      return found.some((entry) => isNamed(entry, name)) && found;
    },
    () => `no process ${name.source} below ${pid}`,
  );

const gone = (processes: readonly ProcessEntry[]): Promise<boolean> =>
  until(
    5000,
    () => !processes.some((entry) => isRunning(entry)),
    () =>
      `still there: ${processes
        .filter((entry) => isRunning(entry))
        .map(({ command }) => command.join(" "))
        .join("\n")}`,
  );

async function assertNothingIn(folder: string): Promise<void> {
  const mounts = parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));
  assert.deepEqual(
    mounts.filter(({ point }) => point.startsWith(folder)),
    [],
  );
  const layers = await LayerStore.open(folder);
  assert.deepEqual(await layers.list(), []);
  assert.deepEqual(await readdir(join(folder, ".drafts")), []);
  assert.deepEqual(await readdir(join(folder, ".gone")), []);
}

async function killedWhen(t: TestContext, args: readonly string[], name: RegExp): Promise<string> {
  const folder = await scratchFolder(t);
  const flags = ["--conditions=lydian-source", script, folder];
  const worker = spawn(process.execPath, [...flags, ...args], { stdio: ["ignore", "inherit", "inherit"] });
  t.after(() => worker.kill("SIGKILL"));
  const ended = once(worker, "close");
  const below = await begun(worker.pid ?? 0, name);
  worker.kill("SIGKILL");
  await ended;
  await gone(below);
  return folder;
}

it("leaves nothing after kill -9 while packages are unpacked", needsRoot, async (t) => {
  await assertNothingIn(await killedWhen(t, ["base"], /^dpkg --install/));
});

it("leaves nothing after kill -9 while pip is installed", { ...needsRoot, timeout: 300_000 }, async (t) => {
  const [, base] = await pythonStack(await imagesIn(cache), "3.12", waiter());
  await assertNothingIn(await killedWhen(t, ["python", base?.diff ?? ""], /^\/usr\/local\/bin\/python .*ensurepip/));
});

it("is broken off when nobody waits for it any more", needsRoot, async (t) => {
  const folder = await scratchFolder(t);
  const images = await imagesIn(folder);
  const waiting = waiter();
  const making = pythonStack(images, "3.12", waiting);
  const below = await begun(process.pid, /apt/);
  waiting.leave();
  await assert.rejects(making, /^Error: left$/);
  await images.close();
  await gone(below);
  await assertNothingIn(join(folder, "layers"));
});

/** What the tests of layers share: folders, user namespaces and mount namespaces that end with the test. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

import { type IdMap, type Layer, Mounter, type MounterOptions, parseMountInfo } from "@lydian/worker/src/layers/index";

export * from "@lydian/worker/src/layers/index";

export const needsRoot = process.getuid?.() === 0 ? {} : { skip: "mounts need root" };

/** A program that lives until its input ends, in a namespace of its own. */
interface Companion {
  readonly pid: number;
  /** Sends a line, answers the lines up to the next empty one. */
  ask(line: string): Promise<string>;
}

/** Runs `unshare` with these flags; the shell in it evaluates what it is asked. */
export async function unshared(t: TestContext, ...flags: string[]): Promise<Companion> {
  const script = 'echo; while read -r line; do eval "$line" 2>&1; echo; done';
  const child = spawn("unshare", [...flags, "sh", "-c", script], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(async () => {
    const gone = once(child, "close");
    child.stdin.end();
    await gone;
  });
  const answers: ((text: string) => void)[] = [];
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    for (let end = answerEnd(text); end !== -1 && answers.length > 0; end = answerEnd(text)) {
      answers.shift()?.(text.slice(0, end));
      text = text.slice(end === 0 ? 1 : end + 2);
    }
  });
  const answer = (): Promise<string> => new Promise((resolve) => answers.push(resolve));
  await answer();
  return {
    pid: child.pid ?? 0,
    ask(line) {
      child.stdin.write(`${line}\n`);
      return answer();
    },
  };
}

/** An empty answer is a newline alone, another one ends with two. */
function answerEnd(text: string): number {
  return text.startsWith("\n") ? 0 : text.indexOf("\n\n");
}

/** A user namespace with the map 0 BASE 65536. */
export async function userNamespace(t: TestContext, base: number): Promise<IdMap> {
  const { pid } = await unshared(t, "--user");
  for (const map of ["uid_map", "gid_map"]) await writeFile(`/proc/${pid}/${map}`, `0 ${base} 65536`);
  return { userns: `/proc/${pid}/ns/user`, base };
}

/** A folder for the test alone, without mounts and gone when it ends. */
export async function scratchFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lydian-layers-"));
  t.after(async () => {
    const mounter = await Mounter.start();
    await mounter.unmountBelow(folder);
    await mounter.close();
    await rm(folder, { recursive: true });
  });
  return folder;
}

export async function startMounter(t: TestContext, options?: MounterOptions): Promise<Mounter> {
  const mounter = await Mounter.start(options);
  t.after(() => mounter.close());
  return mounter;
}

/** A folder with these files, as a layer; a name that ends with a slash is a folder. */
export async function layerOf(folder: string, id: string, files: Record<string, string> = {}): Promise<Layer> {
  const diff = join(folder, id);
  await mkdir(diff, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const path = join(diff, name);
    await mkdir(name.endsWith("/") ? path : dirname(path), { recursive: true });
    if (!name.endsWith("/")) await writeFile(path, text);
  }
  return { id, diff };
}

export async function mountsBelow(folder: string): Promise<string[]> {
  const entries = parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));
  return entries.map(({ point }) => point).filter((point) => point.startsWith(`${folder}/`));
}

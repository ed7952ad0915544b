/** What clients want to know of an image: its Python, and its C library. */
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

import { parseRecords } from "../container/log-format.ts";
import type { ImageConfig } from "../images/index.ts";
import type { RootPaths } from "../runtime/runc/root-path.ts";
import { withRoot } from "./copy-step.ts";
import type { ImageFacts } from "./images.ts";
import { runCommand, StepError } from "./run-step.ts";
import type { Stack, StepCustomer, StepHost } from "./step-host.ts";

/** Asked of the interpreter itself. */
const script = `
import platform, sys
print("%d.%d.%d" % sys.version_info[:3])
print(" ".join(platform.libc_ver()).strip())
`;

const nothing: ImageFacts = { python: "", libc: "", mark: "" };

/** `base` is what is known of the image that this one stands on: an interpreter that is still the same is not asked again. */
export async function factsOf(
  stack: Stack,
  config: ImageConfig,
  base: ImageFacts,
  host: StepHost,
  customer: StepCustomer,
): Promise<ImageFacts> {
  const scratch = join(customer.folder, `probe-${customer.newId()}`);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    const found = await withRoot(host, stack, join(scratch, "look"), (paths) => findPython(paths, config));
    if (found === undefined) return nothing;
    if (found.mark === base.mark) return base;
    const logFile = join(scratch, "log");
    const request = {
      ...{ stack, config, argv: [found.path, "-I", "-c", script] as const, env: config.env, cwd: "/" },
      account: { uid: 0, gid: 0, groups: [] },
    };
    try {
      await runCommand(request, scratch, host, { ...customer, logFile });
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      customer.say(`The image's ${found.path} cannot be run: ${error.message}`);
      return { ...nothing, mark: found.mark };
    }
    const [python = "", libc = ""] = stdoutOf(await readFile(logFile)).split("\n");
    return { python, libc, mark: found.mark };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The first `python` or `python3` of the PATH, and what tells it from another one. */
async function findPython(paths: RootPaths, { env }: ImageConfig): Promise<{ path: string; mark: string } | undefined> {
  for (const folder of (env["PATH"] ?? "").split(":").filter((each) => each.startsWith("/"))) {
    for (const name of ["python", "python3"]) {
      const path = join(folder, name);
      try {
        const { size, mtimeMs } = await stat(paths.realPath(path));
        return { path, mark: `${path} ${size} ${mtimeMs}` };
      } catch (error) {
        if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
      }
    }
  }
  return undefined;
}

function stdoutOf(log: Buffer): string {
  const lines = parseRecords(log).lines.filter(({ stream }) => stream === "stdout");
  return Buffer.concat(lines.map(({ data }) => data)).toString();
}

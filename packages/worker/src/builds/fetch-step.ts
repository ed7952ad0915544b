/**
 * ADD of addresses: they are fetched in a container, as a RUN would do it, so that whoever writes a Dockerfile reaches no
 * more by way of the worker than by way of a command. The container is one of Python's image; its file is then copied.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";

import { PlatformError } from "@lydian/kit";

import type { BaseImage } from "../images/index.ts";
import { fillByCopying } from "./copy-step.ts";
import type { CopyStep } from "./fold.ts";
import { runCommand, upperOf } from "./run-step.ts";
import { type ContextEntry, ContextTree } from "./source-tree.ts";
import type { Stack, StepCustomer, StepHost } from "./step-host.ts";

/** Of all addresses of one instruction. */
const mostBytes = 8 * 2 ** 30;

/** What is fetched has this mode unless `--chmod` says otherwise. */
const usualMode = 0o600;

const script = fileURLToPath(new URL("../../fetch/fetch.py", import.meta.url));

/** As a layer's `fill`. `python` is the image that fetches. */
export async function fillByFetching(
  step: CopyStep,
  stack: Stack,
  python: Pick<BaseImage, "config"> & { readonly stack: Stack },
  folders: readonly [diff: string, scratch: string],
  host: StepHost,
  customer: StepCustomer,
): Promise<void> {
  const scratch = join(folders[1], "fetch");
  await mkdir(scratch, { mode: 0o755 });
  const argv = ["python3", "-I", "-c", await readFile(script, "utf8"), "/fetched", String(mostBytes)] as const;
  const request = {
    ...{ stack: python.stack, config: python.config, env: python.config.env, cwd: "/" },
    argv: [...argv, ...step.sources] as const,
    account: { uid: 0, gid: 0, groups: [] },
  };
  await runCommand(request, scratch, host, customer);
  const files = new Map<string, ContextEntry>();
  for (const [number, address] of step.sources.entries()) {
    const file = join(upperOf(scratch), "fetched", String(number));
    if (step.checksum !== undefined) await verify(file, step.checksum, address);
    files.set(`/${number}/${nameOf(address)}`, { sha256: "", mode: usualMode, content: async () => file });
  }
  const copied = { ...step, isAdd: false, sources: [...files.keys()] };
  await fillByCopying(copied, new ContextTree(files), stack, folders, host, customer.signal);
}

/** What it is called in a folder. Throws for an address that names no file. Pure. */
export function nameOf(address: string): string {
  const name = new URL(address).pathname.split("/").at(-1) ?? "";
  const plain = decodeURIComponent(name);
  if (name !== "" && /^[^/\0*?[\]\\]+$/.test(plain) && plain !== "." && plain !== "..") return plain;
  throw new PlatformError(`${address} does not end with the name of a file`);
}

async function verify(file: string, checksum: string, address: string): Promise<void> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  const found = `sha256:${hash.digest("hex")}`;
  if (found === checksum) return;
  throw new PlatformError(`${address} is not what --checksum says: it is ${found} and not ${checksum}`);
}

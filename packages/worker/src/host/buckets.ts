/** What mounting buckets of S3-compatible stores takes: rclone, and FUSE. */
import { access, constants } from "node:fs/promises";

import { ok, type Probed } from "./finding.ts";
import { findProgram, probeProgram, rclone } from "./programs.ts";

const otherwise = "functions cannot mount cloud buckets";
const install = "install it, on Debian or Ubuntu: apt-get install rclone fuse3";

/** The path of rclone; undefined where something is missing. Nobody but such functions needs it. */
export async function probeBuckets(): Promise<Probed<string | undefined>> {
  const [{ value, finding }, fusermount, hasDevice] = await Promise.all([
    probeProgram(rclone),
    findProgram("fusermount3").then(async (path) => path ?? (await findProgram("fusermount"))),
    hasFuse(),
  ]);
  const without = (detail: string, remedy: string): Probed<undefined> => ({
    value: undefined,
    finding: { name: rclone.name, ...ok(`${detail}: ${otherwise}`, remedy) },
  });
  if (value === undefined) return { value, finding: { ...finding, state: "ok" } };
  if (fusermount === undefined) return without("fusermount3 is not on the PATH", install);
  if (!hasDevice) return without("/dev/fuse cannot be used", "load the kernel's module: modprobe fuse");
  return { value: value.path, finding };
}

async function hasFuse(): Promise<boolean> {
  return await access("/dev/fuse", constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

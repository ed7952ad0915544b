/** Runs a program of the host, with an argument array, to its end. */
import { execFile } from "node:child_process";

import { hasCode, PlatformError } from "@lydian/kit";

/** More than any of them takes on a busy host: a program that hangs must not hold up the pool for ever. */
const deadlineMs = 20_000;

const packages: Readonly<Record<string, string>> = { ip: "iproute2", nft: "nftables", nsenter: "util-linux" };

/** The system's folders are named because a root that came by `su` may lack them. */
export const hostEnv = {
  ...process.env,
  PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`,
  LC_ALL: "C",
};

/** A program that ended with a failure; the message holds what it said. */
export class HostToolError extends PlatformError {
  readonly said: string;

  constructor(program: string, args: readonly string[], said: string) {
    super(`${[program, ...args].join(" ")} failed: ${said}`);
    this.said = said;
  }
}

/** Answers its output. */
export function runTool(program: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: hostEnv, timeout: deadlineMs, killSignal: "SIGKILL", maxBuffer: 64 << 20 } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (hasCode(error, "ENOENT")) reject(missing(program));
      else reject(new HostToolError(program, args, stderr.trim() || error.message));
    });
    child.stdin?.on("error", () => {}); // it ended without reading; its exit says why
    child.stdin?.end(input);
  });
}

export function missing(program: string): PlatformError {
  return new PlatformError(`${program} is not installed`, {
    hint: `install the package ${packages[program] ?? "util-linux"}`,
  });
}

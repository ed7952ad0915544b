/**
 * Measures bench/web-ceiling-server.ts: starts it, and a second copy of a web function's container process that asks it, in the
 * namespaces of that function's container.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import type { Ceiling, CeilingPlan } from "./web-ceiling-server.ts";

const port = 9009;

/** `pid`: of a container's main process. */
export async function measureCeiling(pid: number, plan: CeilingPlan): Promise<Ceiling> {
  const into = ["-t", String(pid)];
  const program = join(import.meta.dirname, "web-ceiling-server.ts");
  const server = spawn(
    "nsenter",
    [...into, "-n", process.execPath, "--conditions=lydian-source", program, String(port), JSON.stringify(plan)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const said = text(server.stdout);
  const container = startContainer(pid, into, port);
  const complaints = text(container.stderr);
  await once(server, "exit");
  container.kill("SIGKILL");
  const result = await said;
  if (result === "") throw new Error(`the ceiling could not be measured: ${await complaints}`);
  return JSON.parse(result) as Ceiling;
}

/** The same program with the same arguments in the same place; only the platform is another one. */
export function startContainer(pid: number, into: readonly string[], port: number) {
  const read = (name: string): string[] => readFileSync(`/proc/${pid}/${name}`, "utf8").split("\0").slice(0, -1);
  const variables = read("environ").filter((line) => !line.startsWith("MODAL_SERVER_URL="));
  const env = [...variables, `MODAL_SERVER_URL=http://127.0.0.1:${port}`];
  const words = [
    ...into,
    "-U",
    "-m",
    "-n",
    "-p",
    "-S",
    "0",
    "-G",
    "0",
    "--wd=/root",
    "env",
    "-i",
    ...env,
    ...read("cmdline"),
  ];
  // In the container's cgroups, too: its share of the processors is the same.
  const entering = groupsOf(pid).map((file) => `echo $$ > '${file}'; `);
  return spawn("sh", ["-c", `${entering.join("")}exec nsenter "$@"`, "sh", ...words], {
    stdio: ["ignore", "ignore", "pipe"],
  });
}

function groupsOf(pid: number): string[] {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n").slice(0, -1);
  return lines.flatMap((line) => {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const file = join("/sys/fs/cgroup", controllers.replace("name=", ""), path, "cgroup.procs");
    return path !== "/" && existsSync(file) ? [file] : [];
  });
}

/** How many calls a second Ray makes, in a virtual environment of its own, made once. */
import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const rayVersion = "2.60.0";

const run = promisify(execFile);

/** By name of the measurement (bench/ray_calls.py); why, where there is no Python or index for it. */
export async function rayRates(inputs: number): Promise<Record<string, number> | string> {
  const folder = join(homedir(), ".cache", "lydian", "bench", `ray-${rayVersion}`);
  const python = join(folder, "bin", "python");
  try {
    await access(join(folder, "bin", "ray")).catch(async () => {
      await run("python3", ["-m", "venv", folder]);
      await run(python, ["-m", "pip", "install", "-q", `ray==${rayVersion}`]);
    });
    const { stdout } = await run(python, ["bench/ray_calls.py", String(inputs)]);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, number>;
  } catch (error) {
    return String(error).split("\n")[0] ?? "it failed";
  }
}

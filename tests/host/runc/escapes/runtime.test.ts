/** What the host runs inside a container cannot be changed from there: neither runc, nor by it the host. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import { findProgram } from "@lydian/worker/src/host/programs";

import { needsContainers, outputOf, type Rig, sharedRig } from "../rig.ts";
import { program } from "./rounds.ts";

/** One copy of a program of the host's, and whether it is changed by what a container does when the host runs it there. */
async function isOverwritten(rig: Rig, name: string, attack: Attack): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "lydian-program-"));
  const place = await rig.place();
  try {
    const copy = join(folder, name);
    await cp((await findProgram(name)) ?? "", copy);
    const before = await readFile(copy);
    const layout = await rig.lay(place);
    await cp(program, layout.hostPath("/root/ways_out"), { recursive: true });
    await writeFile(layout.hostPath("/root/evil"), "#!/proc/self/exe --log=/root/hold\n", { mode: 0o755 });
    await layout.showFiles?.();
    const { argument, held } = attack;
    const code = `from ways_out.overwrite import overwrite; overwrite("${argument}", "${held}")`;
    const process = await rig.start(place, `exec python3 -c '${code}'`);
    await rig.said(place, "ready\n");
    await attack.run(copy, { id: place.id, state: `/run/lydian/${rig.identity.instance}/c/${place.id}/runc` });
    await process.end;
    const said = outputOf(await readFile(place.logFile, "utf8"));
    assert.match(said, /^(?:written|refused)/m);
    return !(await readFile(copy)).equals(before);
  } finally {
    await rig.runtime.clear(place);
    await rm(folder, { recursive: true });
  }
}

interface Attack {
  /** By which the container knows the process. */
  readonly argument: string;
  /** A FIFO in the container for whose reader the process waits. */
  readonly held: string;
  /** Runs the copy in the container. */
  run(copy: string, container: { id: string; state: string }): Promise<void>;
}

/** `runc exec` of a script that has runc itself run it. */
const byRunc: Attack = {
  argument: "--log=/root/hold",
  held: "/root/hold",
  async run(copy, { id, state }) {
    await once(spawn(copy, ["--root", state, "exec", id, "/root/evil"], { stdio: "ignore" }), "close");
  },
};

/** As runc would, if it were not a sealed copy of itself. */
const asItIs: Attack = {
  argument: "0.4321",
  held: "",
  async run(copy, { state, id }) {
    const { init_process_pid: pid } = JSON.parse(await readFile(join(state, id, "state.json"), "utf8")) as {
      init_process_pid: number;
    };
    const file = await open(copy);
    try {
      // Without rights, as runc is by then: nobody may look at those who have more.
      const plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "/proc/self/fd/3", this.argument];
      const args = ["--target", String(pid), "--mount", "--pid", "--", ...plain];
      await once(spawn("nsenter", args, { stdio: ["ignore", "ignore", "inherit", file.fd] }), "close");
    } finally {
      await file.close();
    }
  },
};

describe("runc's own program", needsContainers, () => {
  const [withUserNamespace, without] = [sharedRig({ userns: true }), sharedRig({ userns: false })];

  it("is never the one that a container gets to see", async () => {
    assert.equal(await isOverwritten(without.rig, "runc", byRunc), false);
    assert.equal(await isOverwritten(withUserNamespace.rig, "runc", byRunc), false);
  });

  it("would be overwritten without a user namespace, as any program of the host's that runs in there", async () => {
    assert.equal(await isOverwritten(without.rig, "sleep", asItIs), true);
    assert.equal(await isOverwritten(withUserNamespace.rig, "sleep", asItIs), false);
  });
});

/**
 * A worker that the tests of crashes kill: takes a container through its life and says each step on stdout.
 *
 *     node half-worker.ts '{"data":…,"instance":…}' CONTAINER SCRIPT
 */
import { Rig, type RigIdentity } from "./rig.ts";

const [identity = "", id = "", script = ""] = process.argv.slice(2);
const say = (step: string): void => void process.stdout.write(`${step}\n`);

const alive = setInterval(() => {}, 60_000); // watching a container keeps nobody alive
const rig = await Rig.open(JSON.parse(identity) as RigIdentity);
const place = await rig.place(id);
say("open");
await rig.lay(place, { memoryMib: 128 });
say("laid");
const container = await rig.start(place, script);
say("started");
await container.end;
say("ended");
await rig.runtime.clear(place);
say("cleared");
await rig.leave();
clearInterval(alive);

/** A worker that is killed in the middle of an image: makes what it is told to until the end of its process. */
import { systemClock } from "@lydian/kit";

import { debianRecipe, hostRelease } from "../../../packages/worker/src/images/debian.ts";
import { hostPythonRecipe } from "../../../packages/worker/src/images/host-python.ts";
import { describePython } from "../../../packages/worker/src/images/host-python-files.ts";
import { LayerBuilds } from "../../../packages/worker/src/images/layer-builds.ts";
import { packageSettings } from "../../../packages/worker/src/images/package-settings.ts";
import { markOf } from "../../../packages/worker/src/images/stack-records.ts";
import { LayerStore } from "../../../packages/worker/src/layers/index.ts";
import { Interpreters } from "../../../packages/worker/src/runners/interpreters.ts";
import { waiter } from "./scratch.ts";

const [folder = "", what, baseDiff = ""] = process.argv.slice(2);
const builds = new LayerBuilds({ layers: await LayerStore.open(folder), clock: systemClock });
const base = debianRecipe(await hostRelease(), packageSettings);
if (what === "base") await builds.makeStack([base], waiter());
const interpreter = await new Interpreters().find("3.12");
const python = hostPythonRecipe(base, await describePython(interpreter), await markOf(interpreter.program));
await builds.make(python.id, waiter(), (work) => python.fill(work, [{ id: base.id, diff: baseDiff }]));

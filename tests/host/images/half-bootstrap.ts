/** A worker that is killed in the middle of an image: makes what it is told to until the end of its process. */
import { systemClock } from "@lydian/kit";

import { debianRecipe, hostRelease } from "@lydian/worker/src/images/debian";
import { hostPythonRecipe } from "@lydian/worker/src/images/host-python";
import { describePython } from "@lydian/worker/src/images/host-python-files";
import { LayerBuilds } from "@lydian/worker/src/images/layer-builds";
import { packageSettings } from "@lydian/worker/src/images/package-settings";
import { markOf } from "@lydian/worker/src/images/stack-records";
import { LayerStore } from "@lydian/worker/src/layers/index";
import { Interpreters } from "@lydian/worker/src/runners/interpreters";
import { waiter } from "./scratch.ts";

const [folder = "", what, baseDiff = ""] = process.argv.slice(2);
const builds = new LayerBuilds({ layers: await LayerStore.open(folder), clock: systemClock });
const base = debianRecipe(await hostRelease(), packageSettings);
if (what === "base") await builds.makeStack([base], waiter());
const interpreter = await new Interpreters().find("3.12");
const python = hostPythonRecipe(base, await describePython(interpreter), await markOf(interpreter.program));
await builds.make(python.id, waiter(), (work) => python.fill(work, [{ id: base.id, diff: baseDiff }]));

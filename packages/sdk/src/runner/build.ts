/** The main program of an image's step that calls a function of the program's: `node build.js MODULE NAME`. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { decodeArguments } from "../values/arguments.ts";
import { argumentsName, programFolder } from "./layout.ts";
import { importModule } from "./load.ts";

process.setSourceMapsEnabled(true);
const [module = "", name = ""] = process.argv.slice(2);
const own = import.meta.dirname;
const exports = await importModule(module, own);
const args = decodeArguments(readFileSync(join(dirname(own), programFolder, argumentsName)));
await (exports[name] as (...args: unknown[]) => unknown)(...args);

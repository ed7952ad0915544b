/** What a container is told when it starts: which function it runs, and of which app. */
import { readFileSync } from "node:fs";

import { fromBinary } from "@bufbuild/protobuf";
import { type ContainerArguments, ContainerArgumentsSchema, type Function } from "@lydian/contract";

export interface Assigned {
  readonly arguments: ContainerArguments;
  readonly definition: Function;
}

export function readArguments(env: NodeJS.ProcessEnv): Assigned {
  const file = env["MODAL_CONTAINER_ARGUMENTS_PATH"] ?? "";
  const found = fromBinary(ContainerArgumentsSchema, readFileSync(file));
  if (found.functionDef === undefined) throw new Error(`${file} names no function`);
  return { arguments: found, definition: found.functionDef };
}

/** Paths of a volume, as they come from outside. */
import { bytesOnDisk, isTextOfName, mostPathBytes } from "@lydian/kit";

import { fail } from "../errors.ts";

/** As file systems have it. */
const mostNameBytes = 255;

/** From the volume's root, without slashes at the ends; empty for the root. Throws invalidArgument. */
export function volumePath(text: string): string {
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (parts.pop() === undefined) throw bad(text, "it leads out of the volume");
    } else parts.push(checkedName(part, text));
  }
  const path = parts.join("/");
  if (bytesOnDisk(path) > mostPathBytes) throw bad(text, `it has more than ${mostPathBytes} bytes`);
  return path;
}

/** A path that a file can have: not the root's. */
export function filePath(text: string): string {
  const path = volumePath(text);
  if (path === "") throw bad(text, "it is the volume's root");
  return path;
}

function checkedName(name: string, text: string): string {
  if (name.includes("\0")) throw bad(text, "it holds a NUL");
  if (bytesOnDisk(name) > mostNameBytes) throw bad(text, `a name in it has more than ${mostNameBytes} bytes`);
  if (!isTextOfName(name)) throw bad(text, "characters in it stand for bytes that are a character themselves");
  return name;
}

function bad(text: string, why: string): Error {
  return fail("invalidArgument", `${JSON.stringify(text.slice(0, 200))} cannot be a path in a volume: ${why}.`);
}

/** Extended attributes of files, read without following links. */
import { hasCode } from "@lydian/kit/errors";

import { systemCall } from "./system-call.ts";

const lgetxattr = systemCall("lgetxattr", ["str", "str", "void *", "long"]);

/** As long as the kernel's own are: a path. */
const value = Buffer.alloc(4096);

/** Undefined where there is none with this name. */
export function textAttribute(file: string, name: string): string | undefined {
  try {
    return value.toString("utf8", 0, lgetxattr(`${name} of ${file}`, file, name, value, value.length));
  } catch (error) {
    if (hasCode(error, "ENODATA", "ENOENT", "EOPNOTSUPP")) return undefined;
    throw error;
  }
}

/** Extended attributes of files, read without following links. */
import { hasCode } from "@lydian/kit/errors";
import { nameOnDisk, textOfName } from "@lydian/kit/file-names";

import { systemCall } from "./system-call.ts";

const llistxattr = systemCall("llistxattr", ["str", "void *", "long"]);
const lgetxattr = systemCall("lgetxattr", ["str", "str", "void *", "long"]);

/** As long as the kernel's own are: a path. */
const value = Buffer.alloc(4096);

/** A name, a path or other text; undefined where there is none with this name. */
export function textAttribute(file: string, name: string): string | undefined {
  try {
    const length = lgetxattr(`${name} of ${file}`, nameOnDisk(file), name, value, value.length);
    return textOfName(value.subarray(0, length));
  } catch (error) {
    if (hasCode(error, "ENODATA", "ENOENT", "EOPNOTSUPP")) return undefined;
    throw error;
  }
}

/** Whether it has any that are not overlayfs' own. A list too long to be read is one of others. */
export function hasOthersAttributes(file: string): boolean {
  try {
    const length = llistxattr(`the attributes of ${file}`, nameOnDisk(file), value, value.length);
    const names = value.toString("utf8", 0, length);
    return names.split("\0").some((name) => name !== "" && !name.startsWith("trusted.overlay."));
  } catch (error) {
    if (hasCode(error, "EOPNOTSUPP")) return false;
    if (hasCode(error, "ERANGE")) return true;
    throw error;
  }
}

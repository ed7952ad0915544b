/** Names that clients accept for what they make. */
import { fail } from "../errors.ts";

export function checkName(what: string, name: string): void {
  if (/^[\w.-]{1,63}$/.test(name)) return;
  throw fail("invalidArgument", `${JSON.stringify(name)} cannot be a ${what}'s name.`, {
    hint: "A name has letters, digits, dashes, dots and underscores, and fewer than 64 of them",
  });
}

/** What can be in a secret: variables that a process can be started with. */
import { fail } from "../errors.ts";
import type { Values } from "./seal.ts";

/** Of a variable with its name; the kernel starts no process with a longer one. */
const mostVariableBytes = 128 * 1024;

/** Of all variables; the kernel's own limit, for all secrets of a container, is 2 MiB. */
const mostBytes = 1024 * 1024;

/** Errors name variables, never their values. */
export function checkValues(values: Values): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(values)) {
    if (!/^[A-Za-z_]\w*$/.test(key)) {
      throw fail("invalidArgument", `${JSON.stringify(key)} cannot be a secret's key.`, {
        hint: "It becomes the name of an environment variable: letters, digits and underscores, no digit first",
      });
    }
    if (value.includes("\0")) throw fail("invalidArgument", `The value of ${key} holds a NUL, which no variable can.`);
    const size = Buffer.byteLength(key) + Buffer.byteLength(value) + 2;
    if (size > mostVariableBytes) {
      throw fail("invalidArgument", `The value of ${key} is too long: 128 KiB is the most for a variable.`);
    }
    bytes += size;
  }
  if (bytes > mostBytes) throw fail("invalidArgument", "The secret is too large: 1 MiB is the most.");
}

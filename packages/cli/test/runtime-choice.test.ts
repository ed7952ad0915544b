import assert from "node:assert/strict";
import { it } from "node:test";

import { PlatformError } from "@lydian/kit";

import { missing, ok, warning } from "../src/checks/check.ts";
import { refuseUnlessPossible } from "../src/runtime-choice.ts";

const kernel = { name: "Kernel", ...ok("Linux 6.1") };
const owners = { name: "Id maps", ...warning("none", "use another disk") };
const runc = { name: "runc", ...missing("is not on the PATH", "install it") };
const conmon = { name: "conmon", ...missing("is too old", "install a newer one") };

const python = { name: "Python", ...missing("none", "install one") };

/** What is said when it refuses. */
function refusal(...found: Parameters<typeof refuseUnlessPossible>): { message: string; hint: string } {
  let said: PlatformError | undefined;
  assert.throws(
    () => refuseUnlessPossible(...found),
    (error) => {
      assert.ok(error instanceof PlatformError);
      said = error;
      return true;
    },
  );
  return { message: said?.message ?? "", hint: said?.hint ?? "" };
}

it("is content with a machine that lacks nothing", () => {
  refuseUnlessPossible([], [kernel, owners]);
  refuseUnlessPossible([]);
});

it("says all that containers lack with its remedies, and names the way without them", () => {
  const { message, hint } = refusal([], [kernel, owners, runc, conmon]);
  assert.equal(
    message,
    "containers cannot run on this machine\n" +
      "  runc: is not on the PATH\n    -> install it\n" +
      "  conmon: is too old\n    -> install a newer one",
  );
  assert.match(hint, /lydian up --runtime process/);
});

it("names no way without containers that lacks the same", () => {
  const { message, hint } = refusal([python], [kernel, runc]);
  assert.match(message, /^functions cannot run on this machine\n {2}Python: none\n.*\n {2}runc: /);
  assert.doesNotMatch(hint, /process/);
});

import assert from "node:assert/strict";
import { it } from "node:test";

import { PlatformError } from "@lydian/kit";

import { missing, ok, warning } from "../src/checks/check.ts";
import { refuseUnlessPossible } from "../src/runtime-choice.ts";

const kernel = { name: "Kernel", ...ok("Linux 6.1") };
const owners = { name: "Id maps", ...warning("none", "use another disk") };
const runc = { name: "runc", ...missing("is not on the PATH", "install it") };
const conmon = { name: "conmon", ...missing("is too old", "install a newer one") };

it("is content with a machine that lacks nothing", () => {
  refuseUnlessPossible([kernel, owners]);
  refuseUnlessPossible([]);
});

it("says all that is missing with its remedies, and names the way without containers", () => {
  assert.throws(
    () => refuseUnlessPossible([kernel, owners, runc, conmon]),
    (error) => {
      assert.ok(error instanceof PlatformError);
      assert.equal(
        error.message,
        "containers cannot run on this machine\n" +
          "  runc: is not on the PATH\n    -> install it\n" +
          "  conmon: is too old\n    -> install a newer one",
      );
      assert.match(error.hint ?? "", /lydian up --runtime process/);
      return true;
    },
  );
});

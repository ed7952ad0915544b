import assert from "node:assert/strict";
import { it } from "node:test";

import { type ContainerPhase, move } from "../../src/container/state.ts";

it("allows exactly the moves of the table", () => {
  const phases: ContainerPhase[] = ["preparing", "running", "stopping", "gone"];
  const legal = new Set(["preparing>running", "preparing>gone", "running>stopping", "running>gone", "stopping>gone"]);
  for (const from of phases) {
    for (const to of phases) {
      if (legal.has(`${from}>${to}`)) assert.equal(move("ta-1", from, to), to);
      else assert.throws(() => move("ta-1", from, to), /container ta-1 cannot go from/);
    }
  }
});

/** Which apps are listed. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { AppState } from "@lydian/contract";

import { withoutOld } from "../src/commands/app.ts";

it("lists what lives and the last few that have stopped", () => {
  const stopped = [3, 9, 1, 7, 5, 8].map((stoppedAt) => ({ state: AppState.STOPPED, stoppedAt }));
  const living = [AppState.DEPLOYED, AppState.EPHEMERAL].map((state) => ({ state, stoppedAt: 0 }));
  const kept = withoutOld([...living, ...stopped]).map(({ stoppedAt }) => stoppedAt);
  assert.deepEqual(kept, [0, 0, 3, 9, 7, 5, 8]);
});

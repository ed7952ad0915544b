/** Dicts and queues of the stock clients: what code does with them, here and in containers, and what the commands do. */
import assert from "node:assert/strict";

import { modal, platformOfFile, testEachClient } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";

/** Small ones, so that the stories reach them soon. */
const limits = {
  dictEntryBytes: 2_000_000,
  queuePartitionItems: 50,
  queueItemBytes: 1_000_000,
  queuePutBytes: 3_000_000,
};

const platform = await platformOfFile({ args: ["--limits", JSON.stringify(limits)] });

tellStories(platform, "dicts.py");
tellStories(platform, "queues.py");

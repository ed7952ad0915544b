/** The thread that reads layers for their facts: at the lowest priority, since nobody waits for it but who checks a disk. */
import { setPriority } from "node:os";

import { readFor } from "./reading-thread.ts";
import { treeFacts } from "./tree-facts.ts";

setPriority(0, 19); // of this thread alone, as Linux takes it

readFor(treeFacts);

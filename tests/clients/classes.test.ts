/** Classes: their hooks, their parameters, and the variants that both make. */
import { platformOfFile, usualRuntime } from "@lydian/testkit";

import { tellStories } from "./python-stories.ts";

tellStories(await platformOfFile({ runtime: usualRuntime }), "classes.py");

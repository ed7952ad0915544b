/** Many inputs of one function at a time: `map`, `starmap`, `for_each`. */
import { platformOfFile, usualRuntime } from "@lydian/testkit";

import { tellStories } from "./python-stories.ts";

tellStories(await platformOfFile({ runtime: usualRuntime }), "maps.py");

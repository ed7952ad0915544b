/** Many inputs of one function at a time: `map`, `starmap`, `for_each`. */
import { platformOfFile } from "@lydian/testkit";

import { tellStories } from "./python-stories.ts";

tellStories(await platformOfFile(), "maps.py");

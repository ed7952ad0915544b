/** Many inputs of one function at a time: `map`, `starmap`, `for_each`. */
import { platformOfFile } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";

tellStories(await platformOfFile(), "maps.py");

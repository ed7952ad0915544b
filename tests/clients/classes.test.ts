/** Classes: their hooks, their parameters, and the variants that both make. */
import { platformOfFile } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";

tellStories(await platformOfFile(), "classes.py");

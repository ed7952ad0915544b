/** Deployed apps, called by their names from outside and from each other. */
import { platformOfFile } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";

tellStories(await platformOfFile(), "callers.py");

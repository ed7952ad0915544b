/** What becomes of inputs, and how many containers there are for them. */
import { platformOfFile } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";

const platform = await platformOfFile();

tellStories(platform, "policies.py");
tellStories(platform, "scaling.py");

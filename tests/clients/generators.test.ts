/** Functions that give one thing after another. */
import { platformOfFile } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";

tellStories(await platformOfFile(), "streams.py");

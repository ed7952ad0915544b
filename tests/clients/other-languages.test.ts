/** The public JavaScript and Go clients call what the Python client has deployed. */
import { clientVersions, otherClients, platformOfFile } from "@lydian/testkit";

import { tellForeignStories } from "./told-stories.ts";

const platform = await platformOfFile();

/** The newest client defines for each of them, and each of the older ones for one. */
for (const [index, client] of otherClients.entries()) {
  for (const version of new Set([clientVersions.at(index), clientVersions.at(-1)])) {
    if (version !== undefined) tellForeignStories(platform, client, "foreign.py", version);
  }
}

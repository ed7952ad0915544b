/** The public JavaScript and Go clients call what the Python client has deployed. */
import { otherClients, platformOfFile, testedClients } from "@lydian/testkit";

import { tellForeignStories } from "./told-stories.ts";

const platform = await platformOfFile();

for (const client of otherClients) {
  for (const version of testedClients) tellForeignStories(platform, client, "foreign.py", version);
}

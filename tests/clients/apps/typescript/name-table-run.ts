/** `app.run` and `app.deploy`, of an app that another file defines. */
import { App, Func } from "lydian";

import { app, pairs } from "./name-table.ts";

await app.deploy();
const { appId } = await App.lookup("name-table");
if (!appId.startsWith("ap-")) throw new Error(`${appId} is no app`);
const there = await Func.fromName<typeof pairs>("name-table", "pairs").remote("a", "b");
await using _ = await app.run();
console.log(await pairs.remote("a", "b"), there);

// Calls what is deployed, from any program: lydian deploy examples/typescript/hello.ts && node examples/typescript/client.ts
import { Func } from "lydian";

import type { hello } from "./hello.ts"; // its type alone: nothing of the app is loaded

const deployed = Func.fromName<typeof hello>("hello", "hello");
console.log(await deployed.remote("Ada"));

const call = await deployed.spawn("Bob"); // does not wait
console.log(call.id.startsWith("fc-"), await call.get({ timeout: "1m" }));

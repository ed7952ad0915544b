/** A call at the top level, where no app runs yet. */
import { App } from "lydian";

const app = new App("bare-call");

export const ok = app.function((n: number) => n);

await ok.remote(3);

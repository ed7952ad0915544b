/** Functions in whose containers somebody looks around. */
import { App } from "lydian";

const app = new App("looked-at", { env: { GREETING: "hello" } });

export const one = app.function({ minContainers: 2 }, () => 1);

export const other = app.function(() => 2);

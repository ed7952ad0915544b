/** Served while its file changes; the test writes word.ts beside a copy of it. */
import { App } from "lydian";

// @ts-expect-error -- it is not here
import { word } from "./word.ts";

const app = new App("served");

export const api = app.webEndpoint(() => new Response(word as string));

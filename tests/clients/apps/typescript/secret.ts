/** What a secret that the command has made looks like from a function. */
import { App, Secret } from "lydian";

const app = new App("secret");

export const seen = app.function({ secrets: [Secret.fromName("things")] }, (...keys: string[]) =>
  keys.map((key) => process.env[key]),
);

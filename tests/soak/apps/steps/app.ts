/** Images by a Dockerfile, and with packages by name. Run by tests/soak/lock-files.test.ts. */
import { readFile } from "node:fs/promises";

import { App, Image } from "lydian";

const app = new App("steps");

export const baked = app.function({ image: Image.fromDockerfile(new URL("Dockerfile", import.meta.url)) }, async () =>
  (await readFile("/opt/words.txt", "utf8")).trim(),
);

export const named = app.function(
  { image: Image.debianSlim().npmInstall("ms@2.1.3").env({ A: "1" }).runCommands("echo $A > /opt/a") },
  async () => {
    const name: string = "ms"; // it is in the image alone
    const { default: ms } = (await import(name)) as { default: (text: string) => number };
    return [ms("1m"), (await readFile("/opt/a", "utf8")).trim()].join(" ");
  },
);

export const main = app.localEntrypoint(async () => {
  console.log(await baked.remote(), await named.remote());
});

// An image, a secret, a volume; the program that stands for ffmpeg is made with the image: lydian run examples/typescript/transcode.ts
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";

import { App, Image, Secret, Volume } from "lydian";

const media = Volume.fromName("media", { createIfMissing: true });
/** In earnest: Image.debianSlim().aptInstall("ffmpeg"). */
const image = Image.debianSlim().runCommands(
  `printf '#!/bin/sh\\nfor out; do :; done\\n{ cat "$2"; echo " with $4"; } > "$out"\\n' > /usr/local/bin/ffmpeg`,
  "chmod +x /usr/local/bin/ffmpeg",
);
const app = new App("transcode", { image, volumes: { "/media": media } });
const cdn = Secret.fromObject({ CDN_TOKEN: "t" }); // in earnest: Secret.fromName("cdn")

export const transcode = app.function(
  { cpu: [0.5, 2], memory: "256MiB", timeout: "30m", retries: 2, secrets: [cdn] },
  async (url: string, height = 720) => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${process.env["CDN_TOKEN"]}` } });
    const id = crypto.randomUUID();
    const [source, out] = [`/tmp/${id}`, `/media/${id}.mp4`];
    await writeFile(source, Buffer.from(await response.arrayBuffer()));
    await promisify(execFile)("ffmpeg", ["-i", source, "-vf", `scale=-2:${height}`, out]);
    await media.commit();
    return { id, out, finishedAt: new Date() }; // arrives as a Date
  },
);

export const main = app.localEntrypoint({ url: "data:,a film", height: 480 }, async ({ url, height }) => {
  const { id, finishedAt } = await transcode.remote(url, height);
  console.log(finishedAt instanceof Date, (await media.readFile(`/${id}.mp4`).text()).trim());
});

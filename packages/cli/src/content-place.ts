/** Where the server's content is to lie, as options and variables say it. */
import { PlatformError } from "@lydian/kit";
import { type BucketKey, type BucketSettings, bucketSchema } from "@lydian/server";
import { InvalidArgumentError, Option } from "commander";

const keyIdVariable = "LYDIAN_CONTENT_KEY_ID";
const keyVariable = "LYDIAN_CONTENT_KEY";

export function contentOption(): Option {
  return new Option(
    "--content <place>",
    "where stored files are to lie, instead of the data folder: s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME], a bucket of an " +
      `S3-compatible store, with the key in ${keyIdVariable} and ${keyVariable} (default: the machine's own)`,
  )
    .env("LYDIAN_CONTENT")
    .argParser(parseContent);
}

/** Takes the key out of the environment, so that no process that is started from here on has it there. */
export function takeContentKey(env: NodeJS.ProcessEnv): BucketKey | undefined {
  const { [keyIdVariable]: accessKeyId, [keyVariable]: secretAccessKey } = env;
  delete env[keyIdVariable];
  delete env[keyVariable];
  if (!accessKeyId && !secretAccessKey) return undefined;
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
  throw new PlatformError(`${keyIdVariable} and ${keyVariable} belong together`, { hint: "give both, or neither" });
}

export function parseContent(text: string): BucketSettings {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const settings =
    url?.protocol === "s3:" && url.hostname !== "" && url.username === ""
      ? bucketSchema.safeParse({
          bucket: url.hostname,
          prefix: prefixOf(decodeURIComponent(url.pathname)),
          ...Object.fromEntries(url.searchParams),
        })
      : undefined;
  const known = ["endpoint", "region"];
  if (settings?.success === true && url?.searchParams.keys().every((name) => known.includes(name)))
    return settings.data;
  throw new InvalidArgumentError("It has to be s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME].");
}

/** A prefix is a folder's, whether or not it was written so. */
function prefixOf(path: string): string {
  const prefix = path.replace(/^\/+|\/+$/g, "");
  return prefix === "" ? "" : `${prefix}/`;
}

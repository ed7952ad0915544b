/** What apps and deployments may be marked with. */
import { fail } from "../errors.ts";

/** The clients refuse others before they ask. */
const tagShape = /^[\w.-]{1,50}$/;

const mostTags = 64;
const longestKey = 128;
const longestValue = 256;

/** Of a deployment; empty for none. */
export function checkTag(tag: string): void {
  if (tag === "" || tagShape.test(tag)) return;
  throw fail("invalidArgument", `"${tag}" cannot be the tag of a deployment.`, {
    hint: "Use at most 50 letters, digits, dashes, dots and underscores",
  });
}

/** Of an app. Answers them as they are. */
export function checkedTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(tags);
  if (entries.length > mostTags)
    throw fail("invalidArgument", `An app has at most ${mostTags} tags, not ${entries.length}.`);
  for (const [key, value] of entries) {
    if (key !== "" && key.length <= longestKey && value.length <= longestValue) continue;
    throw fail("invalidArgument", `"${key.slice(0, longestKey)}" cannot be a tag of an app.`, {
      hint: `A tag has a name of 1 to ${longestKey} characters and a value of at most ${longestValue}`,
    });
  }
  return tags;
}

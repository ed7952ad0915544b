/** The key for secrets, where the operator gives one: a variable, or a file that one names. */
import { readFile } from "node:fs/promises";

import { PlatformError, messageOf } from "@lydian/kit";

const variable = "LYDIAN_SECRETS_KEY";
const fileVariable = "LYDIAN_SECRETS_KEY_FILE";

/** Takes the key out of the environment, so that no process that is started from here on has it there. */
export async function takeSecretsKey(env: NodeJS.ProcessEnv): Promise<{ text: string; from: string } | undefined> {
  const { [variable]: text, [fileVariable]: file } = env;
  delete env[variable];
  if (text) return { text, from: variable };
  if (!file) return undefined;
  try {
    return { text: await readFile(file, "utf8"), from: file };
  } catch (error) {
    throw new PlatformError(`cannot read the key for secrets (${fileVariable}): ${messageOf(error)}`, {
      hint: "name a file that is there, or leave the variable out",
      cause: error,
    });
  }
}

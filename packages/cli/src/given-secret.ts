/** What the operator gives in a variable, or in a file that one names, and nobody else is to read. */
import { readFile } from "node:fs/promises";

import { PlatformError, messageOf } from "@lydian/kit";

export interface GivenSecret {
  text: string;
  /** Where it was, for messages. */
  from: string;
}

/** The key that secrets are encrypted with. */
export const secretsKeyVariable = "LYDIAN_SECRETS_KEY";
/** What opens the metrics, and nothing else. */
export const metricsTokenVariable = "LYDIAN_METRICS_TOKEN";

/** Takes it out of the environment, so that no process that is started from here on has it there. */
export async function takeSecret(env: NodeJS.ProcessEnv, variable: string): Promise<GivenSecret | undefined> {
  const fileVariable = `${variable}_FILE`;
  const { [variable]: text, [fileVariable]: file } = env;
  delete env[variable];
  if (text) return { text, from: variable };
  if (!file) return undefined;
  try {
    return { text: await readFile(file, "utf8"), from: file };
  } catch (error) {
    throw new PlatformError(`cannot read the file that ${fileVariable} names: ${messageOf(error)}`, {
      hint: "name a file that is there, or leave the variable out",
      cause: error,
    });
  }
}

/** The token for metrics, long enough that nobody guesses it. */
export async function takeMetricsToken(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const given = await takeSecret(env, metricsTokenVariable);
  const token = given?.text.trim();
  if (token === undefined || (token.length >= 16 && /^[!-~]+$/.test(token))) return token;
  throw new PlatformError(`the token for metrics in ${given?.from} is none`, {
    hint: "give at least 16 characters without spaces, such as `openssl rand -hex 24` makes",
  });
}

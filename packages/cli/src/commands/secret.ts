/** `lydian secret`: what the operator does about the encryption of secrets. Secrets themselves are the clients' affair. */
import { operator } from "@lydian/contract";

import { type CliCommand, type CommandGroup, exitStatus } from "../command.ts";
import { connect } from "../platform-client.ts";
import { dataOption, jsonOption } from "./options.ts";

const rotateKey: CliCommand<{ data?: string; json?: boolean }> = {
  name: "rotate-key",
  summary: "encrypt all secrets under a new key",
  description:
    "Makes a new key, encrypts every secret under it, and then forgets the old one. Where it is broken off, all secrets stay " +
    "readable, and running it again ends it. A backup of the database that was made before needs the key of its time. " +
    "With LYDIAN_SECRETS_KEY or LYDIAN_SECRETS_KEY_FILE the keys are yours: write the new one before the old one, start " +
    "`lydian up` again, run this, and take the old one away.",
  options: [jsonOption(), dataOption()],
  examples: [{ line: "lydian secret rotate-key", effect: "of the platform that runs on this machine" }],
  run: async (options, terminal) => {
    using client = await connect(options, terminal.env);
    const { keyId, secrets, unreadable } = await client.ask(operator.Operators.method.rotateSecretsKey, {});
    const done = `${secrets} ${secrets === 1 ? "secret is" : "secrets are"} under key ${keyId} now.`;
    terminal.print(options.json ? JSON.stringify({ keyId, secrets, unreadable }) : done);
    if (unreadable.length === 0) return exitStatus.ok;
    terminal.report(`No key opens these, which have to be created anew: ${unreadable.join(", ")}`);
    return exitStatus.error;
  },
};

export const secret: CommandGroup = {
  name: "secret",
  summary: "the key that secrets are encrypted with",
  description: "The encryption of secrets. To create, list and delete secrets, use the clients: `modal secret`.",
  commands: [rotateKey],
};

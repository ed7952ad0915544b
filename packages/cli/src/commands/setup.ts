/** `lydian setup`: the public clients of this user talk to the platform from now on. */
import { resolve } from "node:path";

import { PlatformError } from "@lydian/kit";
import { InvalidArgumentError, Option } from "commander";

import { activeName, readClientConfig, relationOf, writeClientConfig } from "../client-config.ts";
import { type CliCommand, exitStatus } from "../command.ts";
import { profileName, readProfile } from "../identity.ts";
import { clientConfigFile, layoutOf, shellWord } from "../paths.ts";
import type { Terminal } from "../terminal.ts";
import { dataOption } from "./options.ts";

export interface SetupOptions {
  data?: string;
  profile: string;
  yes?: boolean;
}

export const setup: CliCommand<SetupOptions> = {
  name: "setup",
  summary: "make this user's Modal clients talk to the platform",
  description:
    "Writes the platform's address and token as a profile into ~/.modal.toml (or the file that MODAL_CONFIG_PATH names) " +
    "and makes it the active one. Other profiles stay as they are.",
  options: [
    dataOption(),
    new Option("--profile <name>", "the profile's name").default(profileName).argParser(parseProfileName),
    new Option("-y, --yes", "replace a profile of that name without asking"),
  ],
  examples: [
    { line: "lydian setup", effect: `the profile "${profileName}" of the default data folder` },
    { line: "lydian setup --data ./try --profile try", effect: "a second platform's profile" },
  ],
  run,
};

async function run(options: SetupOptions, terminal: Terminal): Promise<number> {
  const layout = layoutOf(options.data, terminal.env);
  const profile = await readProfile(layout.profile);
  if (profile === undefined) {
    throw new PlatformError(`there is no platform in ${layout.root} yet`, {
      hint: `start it with \`lydian up${layout.option}\`: the first start makes the profile`,
    });
  }
  const config = await readClientConfig(resolve(clientConfigFile(terminal.env)));
  if (config.file === layout.profile) {
    throw new PlatformError(`MODAL_CONFIG_PATH names the platform's own profile, ${layout.profile}`, {
      hint: "clients with this variable talk to the platform already; unset it to set up ~/.modal.toml",
    });
  }
  const before = activeName(config);
  const relation = relationOf(config.tables[options.profile], profile);
  if (relation === "same" && before === options.profile) {
    terminal.print(`The profile "${options.profile}" in ${config.file} is up to date and active.`);
    return exitStatus.ok;
  }
  if (relation === "other" && !(await mayReplace(options, config.file, terminal))) {
    terminal.print("Nothing was changed.");
    return exitStatus.error;
  }
  await writeClientConfig(config, options.profile, profile);
  terminal.print(`${config.file} has the profile "${options.profile}" for ${profile.serverUrl}, and it is active.`);
  if (before !== undefined && before !== options.profile) {
    terminal.print(`Before it was "${before}"; to go back: modal profile activate ${shellWord(before)}`);
  }
  terminal.print("Try it: modal run app.py");
  return exitStatus.ok;
}

async function mayReplace(options: SetupOptions, file: string, terminal: Terminal): Promise<boolean> {
  if (options.yes === true) return true;
  const what = `the profile "${options.profile}" in ${file}, which has another platform's token`;
  if (terminal.interactive) return terminal.confirm(`Replace ${what}?`);
  throw new PlatformError(`this would replace ${what}`, {
    hint: "run it again with --yes, or choose another name with --profile",
  });
}

/** What TOML takes as a bare key, so that `modal profile activate NAME` and people can write it without quotes. */
function parseProfileName(text: string): string {
  if (/^[\w-]+$/.test(text)) return text;
  throw new InvalidArgumentError("A profile's name has letters, digits, dashes and underscores.");
}

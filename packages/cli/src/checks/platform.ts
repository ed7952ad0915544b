/** The platform itself: its port, its profile, and whether it answers. */
import { request } from "node:http";
import { request as secureRequest } from "node:https";

import { PlatformError, messageOf } from "@lydian/kit";

import { activeName, readClientConfig, relationOf } from "../client-config.ts";
import { isAlive, readRunning } from "../data-folder.ts";
import { type Profile, readProfile } from "../identity.ts";
import { type DataLayout, shellWord } from "../paths.ts";
import { bindPort } from "../supervisor.ts";
import { type Check, type Finding, missing, ok, warning } from "./check.ts";

export function portCheck(layout: DataLayout, host: string, port: number): Check {
  return {
    name: "Port",
    async run() {
      try {
        bindPort(host, port).close();
        return ok(`${port} is free`);
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        const running = await readRunning(layout);
        if (running !== undefined && isAlive(running.pid) && portOf(running.url) === port) {
          return ok(`${port} belongs to the platform of this data folder (process ${running.pid})`);
        }
        return missing(error.message, error.hint ?? "choose another port with --port");
      }
    },
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

/** `clientFile`: the clients' own configuration. */
export function profileCheck(layout: DataLayout, clientFile: string): Check {
  return {
    name: "Profile",
    async run() {
      try {
        const profile = await readProfile(layout.profile);
        if (profile === undefined)
          return warning(`none in ${layout.root} yet`, `the first \`lydian up${layout.option}\` makes it`);
        return await judgeClientConfig(profile, layout, clientFile);
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        return missing(error.message, error.hint ?? "repair it");
      }
    },
  };
}

async function judgeClientConfig(profile: Profile, layout: DataLayout, clientFile: string): Promise<Finding> {
  const config = await readClientConfig(clientFile);
  const active = activeName(config);
  if (active !== undefined && relationOf(config.tables[active], profile) === "same") {
    return ok(`"${active}" in ${config.file} is active`);
  }
  const remedy = `\`lydian setup${layout.option}\`, or MODAL_CONFIG_PATH=${shellWord(layout.profile)}`;
  return warning(`the active profile in ${config.file} is not this platform's`, remedy);
}

const answerPatienceMs = 3000;

/** Any answer at all is one; the certificate is not judged, because nothing secret is sent. */
export function answerCheck(layout: DataLayout): Check {
  return {
    name: "Platform",
    async run() {
      const running = await readRunning(layout);
      if (running === undefined || !isAlive(running.pid))
        return warning("is not running", `start it: lydian up${layout.option}`);
      try {
        await firstAnswer(running.url);
        return ok(`answers at ${running.url}`);
      } catch (error) {
        return missing(
          `does not answer at ${running.url}: ${messageOf(error)}`,
          `see what process ${running.pid} writes, or restart it`,
        );
      }
    },
  };
}

function firstAnswer(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith("https:") ? secureRequest : request;
    const options = { agent: false, rejectUnauthorized: false, signal: AbortSignal.timeout(answerPatienceMs) };
    send(url, options, (response) => {
      response.resume();
      resolve();
    })
      .on("error", reject)
      .end();
  });
}

/**
 * net.ipv4.ip_forward, without which the host passes nothing on for containers. The platform that turned it on leaves a
 * mark; the last platform to go turns it off again, unless somebody else has come to rely on it.
 */
import { mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { type Clock, hasCode, type Logger } from "@lydian/kit";

import { claimWithin } from "./host-claim.ts";
import { runTool } from "./host-tool.ts";

const setting = "/proc/sys/net/ipv4/ip_forward";
/** Gone after a boot, as the setting is. */
const mark = "/run/lydian/turned-on-ip-forward";
const patienceMs = 10_000;

/** To be called when the platform's table is loaded, by which others see that it needs forwarding. */
export async function turnOnForwarding(logger: Logger, clock: Clock): Promise<void> {
  await using _claim = await claimWithin(clock, "forwarding", patienceMs);
  if ((await readFile(setting, "utf8")).trim() === "1") return;
  await mkdir(dirname(mark), { recursive: true, mode: 0o700 });
  await writeFile(mark, "");
  await writeFile(setting, "1");
  logger.info("turned on net.ipv4.ip_forward, which containers need to reach the outside");
}

/** To be called when the platform's table is gone. */
export async function turnOffForwarding(logger: Logger, clock: Clock): Promise<void> {
  await using _claim = await claimWithin(clock, "forwarding", patienceMs);
  const chains = JSON.parse(await runTool("nft", ["--json", "list", "chains"])) as RuleSet;
  // Docker, firewalls and other platforms all have one.
  if (chains.nftables.some(({ chain }) => chain?.hook === "forward")) return;
  try {
    await rm(mark);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return; // it was on before us
    throw error;
  }
  await writeFile(setting, "0");
  logger.info("turned off net.ipv4.ip_forward again");
  await rmdir(dirname(mark)).catch((error: unknown) => {
    if (!hasCode(error, "ENOTEMPTY", "ENOENT", "EBUSY")) throw error;
  });
}

interface RuleSet {
  nftables: { chain?: { hook?: string } }[];
}

/** nftables, and whatever else on the host decides about packets that are passed on. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";

import { messageOf } from "@lydian/kit";

import { firewallRules, tableName } from "../network/firewall-rules.ts";
import { type Finding, missing, ok, type Probed, warning } from "./finding.ts";
import { answerMs, findProgram } from "./programs.ts";

/**
 * The very table that containers will have, made and taken away in one transaction: it never takes effect, but the kernel
 * looks at all of it and loads the modules that it needs.
 */
function trial(): string {
  const instance = `prb${process.pid.toString(36)}`;
  return `${firewallRules(instance, ["192.0.2.1"])}delete table inet ${tableName(instance)}\n`;
}

const install = "install nftables, on Debian or Ubuntu: apt-get install nftables";

/** `isRoot`: without it nothing can be tried. */
export async function probeNftables(isRoot: boolean): Promise<Probed<boolean>> {
  const named = (value: boolean, finding: Finding): Probed<boolean> => ({
    value,
    finding: { name: "nftables", ...finding },
  });
  const nft = await findProgram("nft");
  if (nft === undefined) return named(false, missing("nft is not on the PATH", install));
  if (!isRoot) return named(false, warning("cannot be tried without root", "run it as root, or with sudo"));
  try {
    await runNft(nft, ["-f", "-"], trial());
  } catch (error) {
    if (error instanceof SilentError)
      return named(false, missing(error.message, "see what `nft list tables` waits for"));
    const modules = "nf_tables, nft_ct, nft_fib_inet, nft_masq";
    const remedy = `use a kernel with ${modules}; in a container, load them on its host`;
    return named(false, missing(`rules for containers are refused: ${messageOf(error)}`, remedy));
  }
  const rival = findRival(await runNft(nft, ["-j", "list", "chains"], ""));
  if (rival === undefined) return named(true, ok(`works (${nft})`));
  const remedy = "let it accept what comes from and goes to the interfaces of containers (ly*)";
  const hint = rival.includes(" ip filter ") ? `${remedy}: iptables -I FORWARD -i ly+ -j ACCEPT, and -o ly+` : remedy;
  return named(true, warning(`works, but ${rival} drops what it does not know: containers have no network`, hint));
}

/** The chain of another firewall that drops by default what our table accepts: all must accept a packet. */
export function findRival(json: string): string | undefined {
  const { nftables } = JSON.parse(json) as { nftables: { chain?: Record<string, unknown> }[] };
  for (const { chain } of nftables) {
    if (chain?.["hook"] !== "forward" || chain["policy"] !== "drop") continue;
    return `the chain ${String(chain["family"])} ${String(chain["table"])} ${String(chain["name"])} of another firewall`;
  }
  return undefined;
}

async function runNft(nft: string, args: string[], input: string): Promise<string> {
  const child = spawn(nft, args, { timeout: answerMs, killSignal: "SIGKILL" });
  child.stdin.on("error", () => {}); // it ended without reading: its exit says why
  child.stdin.end(input);
  const [[code, signal], output, errors] = await Promise.all([
    once(child, "close") as Promise<[number | null, string | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  if (code === 0) return output;
  if (signal === "SIGKILL") throw new SilentError(`${nft} does not answer within ${answerMs / 1000} s`);
  throw new Error(errors.trim().split("\n")[0] || `nft ended with ${signal ?? code}`);
}

class SilentError extends Error {}

const forwardFile = "/proc/sys/net/ipv4/ip_forward";

export async function probeForwarding(isRoot: boolean): Promise<Probed<boolean>> {
  const value = (await readFile(forwardFile, "utf8")).trim() === "1";
  const judge = async (): Promise<Finding> => {
    if (value) return ok("IPv4 packets are passed on");
    if (!isRoot) return ok("off; the worker switches it on");
    try {
      await access(forwardFile, constants.W_OK);
      return ok("off; the worker switches it on");
    } catch (error) {
      return missing(
        `off, and cannot be switched on: ${messageOf(error)}`,
        "sysctl net.ipv4.ip_forward=1, on the host",
      );
    }
  };
  return { value, finding: { name: "Forwarding", ...(await judge()) } };
}

/** What holds a container's packets back, guard by guard, each with what takes it away for a while. */
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";

import { until } from "@lydian/testkit";

const run = promisify(execFile);

/** A rule of the platform's table, by what it says, or a setting of the host's end of the link: [which, off, on]. */
interface Guard {
  readonly rule?: RegExp;
  readonly setting?: readonly [string, string, string];
}

const guards = {
  sources: { rule: /^prerouting .*fib saddr/ },
  input: { rule: /^input iifname "\S+" drop/ },
  toOthers: { rule: /^forward .*oifname "ly\*" drop/ },
  fromOthers: { rule: /^forward oifname "\S+" drop/ },
  addresses: { rule: /^forward .*169\.254/ },
  noIpv6: { setting: ["ipv6/conf/LINK/disable_ipv6", "0", "1"] },
  noLoopback: { setting: ["ipv4/conf/LINK/route_localnet", "1", "0"] },
} satisfies Record<string, Guard>;

export type NetworkGuard = keyof typeof guards;

/**
 * Takes guards away. The worker loads a changed table again at once, so it must not hear of the change until the guards
 * are to be back.
 */
export async function withoutGuards(
  instance: string,
  link: string,
  names: readonly NetworkGuard[],
): Promise<AsyncDisposable> {
  const table = ["inet", `lydian_${instance}`];
  const list = async (): Promise<string> => (await run("nft", ["-a", "list", "table", ...table])).stdout;
  const withoutHandles = async (): Promise<string> => (await list()).replaceAll(/ # handle \d+/g, "");
  const before = await withoutHandles();
  const monitor = await monitorOfThisProcess();
  const gone: readonly Guard[] = names.map((name) => guards[name]);
  const set = async (which: 1 | 2): Promise<void> => {
    for (const { setting } of gone) {
      if (setting !== undefined) await writeFile(`/proc/sys/net/${setting[0].replace("LINK", link)}`, setting[which]);
    }
  };
  process.kill(monitor, "SIGSTOP");
  for (const { chain, text, handle } of rulesOf(await list())) {
    if (gone.some(({ rule }) => rule?.test(`${chain} ${text}`) === true)) {
      await run("nft", ["delete", "rule", ...table, chain, "handle", handle]);
    }
  }
  await set(1);
  return {
    async [Symbol.asyncDispose]() {
      await set(2);
      process.kill(monitor, "SIGCONT");
      await until(
        10_000,
        async () => (await withoutHandles()) === before,
        () => "the rules are not loaded again",
      );
    },
  };
}

function rulesOf(listing: string): { chain: string; text: string; handle: string }[] {
  let chain = "";
  return listing.split("\n").flatMap((line) => {
    chain = /^\s*chain (\S+)/.exec(line)?.[1] ?? chain;
    const [, text, handle] = /^\s*(.*) # handle (\d+)$/.exec(line) ?? [];
    return text === undefined || handle === undefined || /^(?:table|chain|set) /.test(text)
      ? []
      : [{ chain, text, handle }];
  });
}

/** Of the firewall's, which is a child of this process. */
async function monitorOfThisProcess(): Promise<number> {
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const command = await readFile(`/proc/${name}/cmdline`, "latin1").catch(() => "");
    const stat = command === "nft\0monitor\0" ? await readFile(`/proc/${name}/stat`, "latin1") : "";
    if (Number(stat.split(" ")[3]) === process.pid) return Number(name);
  }
  throw new Error("the firewall has no monitor");
}

/** The programs that the platform needs on its host, and the places on the network where packages and images are. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { setGlobalProxyFromEnv } from "node:http";

import { messageOf } from "@lydian/kit";

import { type Check, type Finding, type HostFinding, missing, ok, warning } from "./check.ts";

const runFile = promisify(execFile);

/** Far more than any takes, also on a machine that is busy with something else. */
const programMs = 20_000;

const oldestNode = [26, 4] as const;

export function nodeCheck(version: string = process.versions.node): Check {
  return { name: "Node", run: () => Promise.resolve(judgeNode(version)) };
}

function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isEnough = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  if (isEnough) return ok(version);
  return missing(
    `${version}, and ${oldestNode.join(".")} is needed`,
    "install a newer Node, or run bin/lydian of a checkout, which brings its own",
  );
}

/** The minors that the public clients support; the distribution's own, which answers soonest, comes first. */
const pythonNames = [
  "/usr/bin/python3",
  "python3",
  "python3.10",
  "python3.11",
  "python3.12",
  "python3.13",
  "python3.14",
];

export interface HostPython {
  readonly command: string;
  readonly version: readonly [major: number, minor: number];
  /** Can make virtual environments with pip in them; Debian has that in a package of its own. */
  readonly makesVenvs: boolean;
}

const pythonProbe =
  "import sys, json, importlib.util as u; " +
  "print(json.dumps([sys.version_info[:2], u.find_spec('venv') is not None and u.find_spec('ensurepip') is not None]))";

/** Asks a Python about itself; undefined when there is none by this name that runs. */
export type ProbePython = (command: string) => Promise<HostPython | undefined>;

export const probePython: ProbePython = async (command) => {
  try {
    const { stdout } = await runFile(command, ["-c", pythonProbe], { timeout: programMs });
    const [version, makesVenvs] = JSON.parse(stdout) as [[number, number], boolean];
    return { command, version, makesVenvs };
  } catch {
    return undefined; // not installed, or a shim of a version switcher that leads nowhere: either way it is of no use
  }
};

export function pythonCheck(probe: ProbePython = probePython): Check {
  return { name: "Python", run: async () => judgePythons(await Promise.all(pythonNames.map(probe))) };
}

/** The check's verdict, as soon as it is known: a shim of a version switcher takes a quarter of a second to answer. */
export async function findPython(probe: ProbePython = probePython): Promise<HostFinding> {
  const found: (HostPython | undefined)[] = [];
  for (const name of pythonNames) {
    found.push(await probe(name));
    if (judgePythons(found).state === "ok") break;
  }
  return { name: "Python", ...judgePythons(found) };
}

function judgePythons(found: readonly (HostPython | undefined)[]): Finding {
  const recent = found
    .filter((python) => python !== undefined)
    .filter(({ version: [major, minor] }) => major === 3 && minor >= 10);
  if (recent.length === 0) {
    return missing("no Python from 3.10 on is on the PATH", "install one, on Debian: apt install python3 python3-venv");
  }
  const able = [...new Set(recent.filter(({ makesVenvs }) => makesVenvs).map(({ version }) => version.join(".")))];
  if (able.length > 0) return ok(`${able.join(", ")} with venv and pip`);
  const minor = recent[0]?.version.join(".") ?? "3";
  return missing(`Python ${minor} cannot make virtual environments`, `on Debian: apt install python${minor}-venv`);
}

const defaultIndex = "https://pypi.org/simple";
const indexPatienceMs = 3000;

/** Answers the HTTP status of a HEAD request, or throws. */
export type Head = (url: string, headers: Record<string, string>) => Promise<number>;

const fetchHead: Head = async (url, headers) => {
  const restore = setGlobalProxyFromEnv(); // pip follows HTTP_PROXY and its like, so this does as well
  try {
    return (await fetch(url, { method: "HEAD", headers, signal: AbortSignal.timeout(indexPatienceMs) })).status;
  } finally {
    restore();
  }
};

/** pip's own answer: its files and its variables both count. */
async function configuredIndex(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (env["PIP_INDEX_URL"]) return env["PIP_INDEX_URL"];
  try {
    const { stdout } = await runFile("python3", ["-m", "pip", "config", "get", "global.index-url"], {
      timeout: programMs,
    });
    return stdout.trim() || undefined;
  } catch {
    return undefined; // not set (pip ends with 1), or no pip: then there is only the default
  }
}

/**
 * Only a warning, because it is needed only when a version of a client is seen for the first time. One HEAD request; it
 * does not try pip's own certificates, and says nothing about packages.
 */
export function packageIndexCheck(env: NodeJS.ProcessEnv, head: Head = fetchHead, index = configuredIndex): Check {
  return {
    name: "Package index",
    async run() {
      const url = new URL(`${((await index(env)) ?? defaultIndex).replace(/\/+$/, "")}/pip/`);
      const headers: Record<string, string> = {};
      if (url.username !== "") {
        const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
        headers["authorization"] = `Basic ${Buffer.from(login).toString("base64")}`;
        url.username = url.password = ""; // fetch refuses them, and they are not for the screen
      }
      const remedy =
        "the clients' packages come from it when a client version is used first: check the network, or set PIP_INDEX_URL to a mirror";
      try {
        const status = await head(url.href, headers);
        return status < 400
          ? ok(`${url.origin} answers`)
          : warning(`${url.href} answers with status ${status}`, remedy);
      } catch (error) {
        return warning(`${url.origin} does not answer: ${reasonOf(error)}`, remedy);
      }
    },
  };
}

/**
 * Only a warning: without a registry base images are made from Debian's packages. Any answer at all is one. `registry` is
 * undefined where none is to be asked.
 */
export function registryCheck(registry: string | undefined, head: Head = fetchHead): Check {
  return {
    name: "Registry",
    async run() {
      if (registry === undefined) return ok("none is asked: base images are made on this machine");
      const { host } = new URL(registry);
      try {
        await head(`${registry}/v2/`, {});
        return ok(`${host} answers`);
      } catch (error) {
        const remedy =
          "nothing, if the network is to be so: base images are then made from Debian's packages and this machine's Python";
        return warning(`${host} does not answer within ${indexPatienceMs / 1000} s: ${reasonOf(error)}`, remedy);
      }
    },
  };
}

/** fetch itself says only that it failed. */
function reasonOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
}

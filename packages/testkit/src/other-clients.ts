/** The public clients of other languages, where set-up has put them (scripts/setup/other-clients.mjs). */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { type Platform, repositoryRoot } from "./platform.ts";
import { Program } from "./program.ts";

export interface OtherClient {
  language: string;
  /** What is run, below tests/clients/apps. */
  source: string;
  /** The folder that it is installed in. */
  path: string;
  /** Why it cannot run here, or false. */
  missing: string | false;
  run(platform: Platform, ...args: string[]): Program;
}

const apps = join(repositoryRoot, "tests", "clients", "apps");

const folder = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "lydian", "clients");

/** The module with which the Python clients read .env files: a folder for PYTHONPATH, or why it is not there. */
export const dotenv: { path: string; missing: string | false } = (() => {
  const path = join(folder, `dotenv-${pinned().dotenv}`);
  return { path, missing: missing(path) };
})();

/** What the programs callers.ts and go/main.go need. */
export const otherClients: readonly OtherClient[] = [javascript(), go()];

function javascript(): OtherClient {
  const { javascript: version } = pinned();
  const path = join(folder, `javascript-${version}`);
  return {
    language: `JavaScript ${version}`,
    source: "callers.ts",
    path,
    missing: missing(path),
    run: (platform) => new Program(process.execPath, [join(apps, "callers.ts"), path], { env: platform.env }),
  };
}

function go(): OtherClient {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum", "main.go"]) hash.update(readFileSync(join(apps, "go", name)));
  const path = join(folder, `go-${hash.digest("hex").slice(0, 16)}`);
  return {
    language: "Go",
    source: "go/main.go",
    path,
    missing: missing(path),
    run: (platform, ...args) => new Program(join(path, "callers"), args, { env: platform.env }),
  };
}

function pinned(): { javascript: string; dotenv: string } {
  const clients = readFileSync(join(repositoryRoot, "packages", "contract", "clients.json"), "utf8");
  return JSON.parse(clients) as { javascript: string; dotenv: string };
}

function missing(path: string): string | false {
  return existsSync(path) ? false : `${path} is not there: node scripts/setup.mjs --clients says why`;
}

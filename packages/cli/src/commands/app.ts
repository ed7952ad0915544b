/** `lydian app`: apps, the versions that were deployed of one, and the way back. */
import { AppState, ModalClient } from "@lydian/contract";
import { PlatformError } from "@lydian/kit";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus, UsageError } from "../command.ts";
import { type Column, tableOf } from "../table.ts";
import { timeOf } from "../words.ts";
import { connectTo, millis, type NamedOptions, namedOptions, printRows } from "./named.ts";

const states: Partial<Record<AppState, string>> = {
  [AppState.EPHEMERAL]: "running",
  [AppState.DETACHED]: "detached",
  [AppState.DEPLOYED]: "deployed",
  [AppState.STOPPING]: "stopping",
  [AppState.STOPPED]: "stopped",
  [AppState.INITIALIZING]: "deploying",
  [AppState.DETACHED_DISCONNECTED]: "detached",
};

interface AppRow {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly containers: number;
  readonly createdAt: number;
}

/** How many that have stopped are listed unasked. */
const stoppedUnasked = 5;

const list: CliCommand<NamedOptions & { all?: boolean }> = {
  name: "list",
  summary: "list apps",
  description: `Lists the apps that run or are deployed, and the last ${stoppedUnasked} that have stopped.`,
  options: [new Option("-a, --all", "all that have stopped lately"), ...namedOptions()],
  examples: [
    { line: "lydian app list", effect: "what runs, what is deployed, and what ran last" },
    { line: "lydian app list --all --json", effect: "for programs" },
  ],
  run: async (options, terminal) => {
    using client = await connectTo(options, terminal);
    const { apps } = await client.ask(ModalClient.method.appList, { environmentName: options.env ?? "" });
    const shown = options.all === true ? apps : withoutOld(apps);
    const hidden = apps.length - shown.length;
    const rows = shown.map(({ appId: id, name, description, state, nRunningTasks: containers, createdAt }): AppRow => {
      return { id, name: name || description, state: states[state] ?? "", containers, createdAt };
    });
    if (options.json === true)
      return printRows(
        terminal,
        rows.map((row) => ({ ...row, createdAt: new Date(row.createdAt * 1000).toISOString() })),
      );
    const columns: Column<AppRow>[] = [
      { title: "APP", text: ({ id }) => id },
      { title: "NAME", text: ({ name }) => name },
      { title: "STATE", text: ({ state }) => state },
      { title: "CONTAINERS", text: ({ containers }) => String(containers), right: true },
      { title: "CREATED", text: ({ createdAt }) => timeOf(millis(createdAt)) },
    ];
    if (rows.length === 0) terminal.print("There are no apps.");
    else terminal.print(tableOf(rows, columns, (title) => terminal.paint("dim", title)));
    if (hidden > 0) terminal.print(terminal.paint("dim", `… and ${hidden} more that have stopped; --all shows them`));
    return exitStatus.ok;
  },
};

/** What lives, and the last few that have stopped. */
export function withoutOld<App extends { state: AppState; stoppedAt: number }>(apps: readonly App[]): readonly App[] {
  const over = apps.filter(({ state }) => state === AppState.STOPPED).toSorted((a, b) => b.stoppedAt - a.stoppedAt);
  const old = new Set(over.slice(stoppedUnasked));
  return apps.filter((app) => !old.has(app));
}

async function deployedId(client: import("lydian").Client, app: string, environmentName: string): Promise<string> {
  if (app.startsWith("ap-")) return app;
  const { appId } = await client.ask(ModalClient.method.appGetByDeploymentName, { name: app, environmentName });
  if (appId !== "") return appId;
  throw new PlatformError(`there is no deployed app "${app}"`, {
    hint: "`lydian app list` shows those that there are",
  });
}

const history: CliCommand<NamedOptions> = {
  name: "history",
  summary: "list what was deployed of an app",
  description: "Lists the versions of a deployed app, the newest first.",
  operands: [new Argument("<app>", "its name or id")],
  options: namedOptions(),
  examples: [{ line: "lydian app history reports", effect: "its versions; `lydian app rollback` brings one back" }],
  run: async (options, terminal, [app = ""]) => {
    using client = await connectTo(options, terminal);
    const appId = await deployedId(client, app, options.env ?? "");
    const { appDeploymentHistories: versions } = await client.ask(ModalClient.method.appDeploymentHistory, { appId });
    type Version = (typeof versions)[number];
    if (options.json === true) {
      const rows = versions.map(({ version, deployedAt, deployedBy, clientVersion, rollbackVersion }) => {
        const at = new Date(deployedAt * 1000).toISOString();
        return { version, deployedAt: at, deployedBy, clientVersion, rollbackOf: rollbackVersion || null };
      });
      return printRows(terminal, rows);
    }
    const columns: Column<Version>[] = [
      { title: "VERSION", text: ({ version }) => `v${version}` },
      { title: "DEPLOYED", text: ({ deployedAt }) => timeOf(millis(deployedAt)) },
      { title: "BY", text: ({ deployedBy }) => deployedBy },
      { title: "CLIENT", text: ({ clientVersion }) => clientVersion },
      { title: "", text: ({ rollbackVersion }) => (rollbackVersion === 0 ? "" : `v${rollbackVersion} again`) },
    ];
    terminal.print(tableOf(versions, columns, (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

const rollback: CliCommand<NamedOptions> = {
  name: "rollback",
  summary: "deploy an earlier version of an app again",
  description:
    "Deploys what an app was in an earlier version, as a new version: the one before the present one, unless one is named.",
  operands: [new Argument("<app>", "its name or id"), new Argument("[version]", "such as v3")],
  options: namedOptions(),
  examples: [
    { line: "lydian app rollback reports", effect: "to the version before" },
    { line: "lydian app rollback reports v3", effect: "to that one" },
  ],
  run: async (options, terminal, [app = "", named]) => {
    const version = named === undefined ? -1 : Number(/^v?(\d{1,9})$/.exec(named)?.[1] ?? Number.NaN);
    if (Number.isNaN(version)) throw new UsageError(`${named} is no version`, { hint: "versions are v1, v2, …" });
    using client = await connectTo(options, terminal);
    const appId = await deployedId(client, app, options.env ?? "");
    await client.ask(ModalClient.method.appRollback, { appId, version });
    const { appDeploymentHistories: versions } = await client.ask(ModalClient.method.appDeploymentHistory, { appId });
    const now = versions[0]?.version ?? 0;
    const of = versions[0]?.rollbackVersion ?? 0;
    if (options.json === true) terminal.print(JSON.stringify({ appId, version: now, rollbackOf: of }));
    else terminal.print(`${app} is what it was in v${of}, as v${now}.`);
    return exitStatus.ok;
  },
};

export const app: CommandGroup = {
  name: "app",
  summary: "apps, their versions, and the way back",
  description: "Apps of an environment. `lydian logs` shows what one prints, `lydian stop` ends it.",
  commands: [list, history, rollback],
};

/** `lydian status`: what a platform has to do, and with what. */
import { toJson } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";
import { Option } from "commander";

import { type CliCommand, exitStatus } from "../command.ts";
import { connect } from "../platform-client.ts";
import { type Column, tableOf } from "../table.ts";
import type { Terminal } from "../terminal.ts";
import { amountOf, countedOf, timeOf, zonedTimeOf } from "../words.ts";
import { dataOption, jsonOption } from "./options.ts";

export interface StatusOptions {
  data?: string;
  watch?: boolean;
  json?: boolean;
}

export const status: CliCommand<StatusOptions> = {
  name: "status",
  summary: "show apps, containers, queues, disk and versions",
  description:
    "Shows how a platform stands: its apps with the inputs that wait and run, its containers, workers and disk, and what is " +
    "out of order. Exit status 1: something keeps it from doing its work.",
  options: [new Option("-w, --watch", "show it again whenever it changes, until Ctrl-C"), jsonOption(), dataOption()],
  examples: [
    { line: "lydian status", effect: "how it stands now" },
    { line: "lydian status --watch", effect: "as it goes on" },
    { line: "lydian status --watch --json", effect: "one line of JSON for each change" },
  ],
  run: async ({ watch = false, json = false, data }, terminal) => {
    using client = await connect(data === undefined ? {} : { data }, terminal.env);
    let hindrance = "";
    for await (const reply of client.follow(operator.Operators.method.getStatus, { follow: watch })) {
      ({ hindrance } = reply);
      if (json) {
        const value = toJson(operator.GetStatusResponseSchema, reply, { alwaysEmitImplicit: true });
        terminal.print(JSON.stringify(value, undefined, watch ? undefined : 2));
      } else {
        if (watch) terminal.clear();
        terminal.print(statusText(reply, client.serverUrl, terminal));
      }
      if (!watch) break;
    }
    return hindrance === "" ? exitStatus.ok : exitStatus.error;
  },
};

export function statusText(reply: operator.GetStatusResponse, url: string, terminal: Pick<Terminal, "paint">): string {
  const { apps, containers, workers, hindrance } = reply;
  const title = (text: string): string => terminal.paint("dim", text);
  const appNames = new Map(apps.map(({ appId, name }) => [appId, name]));
  const parts = [
    headText(reply, url, terminal),
    apps.length === 0 ? "No apps." : tableOf(apps, appColumns, title),
    containers.length === 0 ? "No containers." : tableOf(containers, containerColumns(appNames), title),
    workers.length === 0 ? "" : tableOf(workers, workerColumns, title),
    hindrance === "" ? "" : terminal.paint("red", hindrance),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function headText(reply: operator.GetStatusResponse, url: string, terminal: Pick<Terminal, "paint">): string {
  const { version, nodeVersion, workspace, clientVersions, storeBytes, diskFreeBytes, diskBytes } = reply;
  const sum = (what: "queued" | "running" | "delayed"): number =>
    reply.apps.reduce((total, app) => total + app[what], 0);
  const { imagesWanted, imagesBuilding, nextScheduleAtMs } = reply;
  const images =
    imagesWanted + imagesBuilding === 0 ? "" : `; images: ${imagesBuilding} being built, ${imagesWanted} to be built`;
  const next = nextScheduleAtMs === 0n ? "" : `; the next run by schedule: ${zonedTimeOf(nextScheduleAtMs)}`;
  return [
    `${terminal.paint("bold", `Lydian ${version}`)} at ${url}, workspace ${workspace}, up since ${timeOf(reply.serverStartedAtMs)}`,
    `Node ${nodeVersion}; Python clients ${clientVersions.join(", ")}`,
    `Inputs: ${sum("queued")} waiting, ${sum("running")} running, ${sum("delayed")} to be tried again${images}${next}`,
    `Disk: ${amountOf(diskFreeBytes)} of ${amountOf(diskBytes)} free; the database has ${amountOf(storeBytes)}`,
  ].join("\n");
}

const count = (value: number): string => (value === 0 ? "" : String(value));

const appColumns: Column<operator.AppStatus>[] = [
  { title: "APP", text: ({ name }) => name },
  { title: "ENVIRONMENT", text: ({ environment }) => environment },
  { title: "STATE", text: ({ state, version }) => (version === 0 ? state : `${state} v${version}`) },
  { title: "WAITING", right: true, text: ({ queued }) => count(queued) },
  { title: "RUNNING", right: true, text: ({ running }) => count(running) },
  { title: "RETRYING", right: true, text: ({ delayed }) => count(delayed) },
  { title: "CONTAINERS", right: true, text: ({ containers }) => count(containers) },
  { title: "SINCE", text: ({ createdAtMs }) => timeOf(createdAtMs) },
  { title: "ID", text: ({ appId }) => appId },
];

function containerColumns(appNames: ReadonlyMap<string, string>): Column<operator.ContainerStatus>[] {
  return [
    { title: "CONTAINER", text: ({ containerId }) => containerId },
    { title: "APP", text: ({ appId }) => appNames.get(appId) ?? appId },
    { title: "FUNCTION", text: ({ functionName }) => functionName },
    { title: "STATE", text: ({ state }) => state },
    { title: "INPUTS", right: true, text: ({ held }) => count(held) },
    { title: "SINCE", text: ({ createdAtMs }) => timeOf(createdAtMs) },
  ];
}

const cores = (milli: number): string => (milli / 1000).toFixed(1);

const workerColumns: Column<operator.WorkerStatus>[] = [
  { title: "WORKER", text: ({ workerId }) => workerId },
  {
    title: "CORES",
    right: true,
    text: ({ milliCpu, milliCpuTaken }) => `${cores(milliCpuTaken)} / ${cores(milliCpu)}`,
  },
  {
    title: "MEMORY",
    right: true,
    text: ({ memoryMib, memoryMibTaken }) => `${memoryMibTaken} / ${memoryMib} MiB`,
  },
  {
    title: "HAS",
    text: ({ containers, images }) => `${countedOf(containers, "container")}, ${countedOf(images, "image")}`,
  },
];

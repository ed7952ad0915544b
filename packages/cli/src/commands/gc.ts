/** `lydian gc`: removes images and content that nothing needs, and says what that freed. */
import { toJson } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";
import { Option } from "commander";

import { type CliCommand, exitStatus } from "../command.ts";
import { connect } from "../platform-client.ts";
import type { Terminal } from "../terminal.ts";
import { amountOf, countedOf } from "../words.ts";
import { dataOption, jsonOption, parseAge, parseMebibytes } from "./options.ts";

export interface GcOptions {
  data?: string;
  unusedFor?: number;
  maxSize?: number;
  image?: string[];
  dryRun?: boolean;
  json?: boolean;
}

/** Longer than the server waits for a worker. */
const patienceMs = 660_000;

export const gc: CliCommand<GcOptions> = {
  name: "gc",
  summary: "remove images and stored files that nothing needs",
  description:
    "Removes images that no function of an app that runs or is deployed needs, that no name stands for, and that have not " +
    "been used for a time, with the logs of their builds and those layers that then nobody holds. What is removed is made " +
    "again when it is asked for. Base images go by the same rule, but not within a day of their last use: all platforms of " +
    "a machine share them. The platform does the same by itself every few hours, and earlier when the disk fills. " +
    "So does what a machine keeps of mounted files beside the server. What the server stores (uploaded and mounted files, " +
    "arguments and results, pieces of volumes and of their kept states) goes when nothing has needed it for a day (--times " +
    "contentKept), or for as long as --unused-for says, but an hour at least; that it is needed by nothing has to be noted " +
    "first, which the platform does every hour, and this command.",
  options: [
    new Option(
      "--unused-for <age>",
      "what was not used for so long goes, such as 12h, 7d (default: --times imageKept, 14d)",
    ).argParser(parseAge),
    new Option(
      "--max-size <MiB>",
      "then the oldest, until all layers of a machine take no more (default: --limits imagesMib, none)",
    ).argParser(parseMebibytes),
    new Option(
      "--image <image>",
      "only this one, whoever needs it: an id, or a base image's whole name; repeatable",
    ).argParser(another),
    new Option("--dry-run", "only say what would be removed"),
    jsonOption(),
    dataOption(),
  ],
  examples: [
    { line: "lydian gc --dry-run", effect: "what there is that nothing needs" },
    { line: "lydian gc --unused-for 1d", effect: "all that was not used since yesterday" },
    { line: "lydian gc --image im-00VbtB4oEOs9IStIQaI31W", effect: "this image, to have it made anew" },
  ],
  run: async (options, terminal) => {
    const { unusedFor, maxSize, image = [], dryRun = false, json } = options;
    using client = await connect(options, terminal.env);
    const request = {
      ...(unusedFor !== undefined && { unusedMs: BigInt(unusedFor) }),
      ...(maxSize !== undefined && { mostBytes: BigInt(maxSize) * 1_048_576n }),
      images: image,
      dryRun,
    };
    const ask = (): Promise<operator.CollectGarbageResponse> =>
      client.ask(operator.Operators.method.collectGarbage, request, patienceMs);
    const reply = await terminal.step("Looking for what nothing needs", ask);
    if (json === true) {
      terminal.print(JSON.stringify(toJson(operator.CollectGarbageResponseSchema, reply), undefined, 2));
    } else report(reply, dryRun, terminal);
    return reply.workers.some(({ error }) => error !== "") ? exitStatus.error : exitStatus.ok;
  },
};

function report(reply: operator.CollectGarbageResponse, isDry: boolean, terminal: Terminal): void {
  const verb = isDry ? "would go" : "went";
  if (reply.workers.length === 0) terminal.print("No worker that has images is connected.");
  for (const { workerId, imageIds, bases, layers, bytes, leftBytes, files, fileBytes, error } of reply.workers) {
    const where = reply.workers.length > 1 ? `${workerId}: ` : "";
    if (error !== "") {
      terminal.report(`${where}${error}`);
      continue;
    }
    const what = [
      countedOf(imageIds.length, "image"),
      countedOf(bases.length, "base image"),
      countedOf(layers, "layer"),
    ];
    terminal.print(`${where}${what.join(", ")} ${verb}: ${amountOf(bytes)}; ${amountOf(leftBytes)} are left.`);
    if (files > 0)
      terminal.print(`${where}${countedOf(files, "copy", "copies")} of mounted files ${verb}: ${amountOf(fileBytes)}.`);
    for (const name of [...imageIds, ...bases]) terminal.print(terminal.paint("dim", `  ${name}`));
  }
  const { forgottenImages, logBytes, content } = reply;
  if (forgottenImages.length > 0) {
    const images = countedOf(forgottenImages.length, "image");
    terminal.print(`What was known of ${images} ${verb}, with logs of ${amountOf(logBytes)}.`);
  }
  if (content === undefined) return;
  const { removed, waiting, needed } = content;
  terminal.print(
    `Server: ${filesOf(removed)} ${verb}; ${filesOf(waiting)}, not needed for a shorter time, and ` +
      `${filesOf(needed)} that are needed are left.`,
  );
}

function filesOf(amount: operator.ContentGarbage_Amount | undefined): string {
  const { files = 0n, bytes = 0n } = amount ?? {};
  return `${countedOf(files, "stored file")} (${amountOf(bytes)})`;
}

function another(name: string, before: string[] = []): string[] {
  return [...before, name];
}

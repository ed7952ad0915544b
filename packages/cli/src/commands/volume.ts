/** `lydian volume`: volumes, and what they were like before. */
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus, UsageError } from "../command.ts";
import { connect } from "../platform-client.ts";
import { type Column, tableOf } from "../table.ts";
import type { Terminal } from "../terminal.ts";
import { amountOf, countedOf, timeOf } from "../words.ts";
import { dataOption, jsonOption, parseLimit } from "./options.ts";
import { fileCommands } from "./volume-files.ts";

const methods = operator.Operators.method;

interface CommonOptions {
  data?: string;
  env?: string;
  json?: boolean;
}

/** A volume as of one of its commits. */
interface State {
  readonly volume: string;
  readonly commit: number;
}

/** Commits of which the changes take as long as those of half a million files. */
const patienceMs = 600_000;

const environment = (): Option => new Option("--env <environment>", "the volume's environment (default: main)");
const limit = (usual: number): Option =>
  new Option("--limit <n>", "how many lines at most").default(usual).argParser(parseLimit);

const history: CliCommand<CommonOptions & { limit: number }> = {
  name: "history",
  summary: "list a volume's commits, the newest first",
  description:
    "Lists the commits of a volume: each put, removal, copy and restore from outside, and each commit of a container, also " +
    "those that nobody asked for. What the volume showed after a commit can be compared and restored as long as it is kept: " +
    "until it was not the newest state for a day, or for as long as `lydian up --times` says by volumeHistory.",
  operands: [new Argument("<volume>", "its name, or its id")],
  options: [limit(100), environment(), jsonOption(), dataOption()],
  examples: [
    { line: "lydian volume history models", effect: "when, by whom, and how much each changed" },
    { line: "lydian volume history models --json", effect: "the same, for programs" },
  ],
  run: async (options, terminal, [volume = ""]) => {
    using client = await connect(options, terminal.env);
    const request = { volume: nameOf(volume, options), limit: options.limit };
    const reply = await client.ask(methods.listVolumeCommits, request);
    if (options.json === true) return printJson(terminal, operator.ListVolumeCommitsResponseSchema, reply);
    const { commits, oldest } = reply;
    if (commits.length === 0) terminal.print(`Volume ${volume} has no commits.`);
    else terminal.print(tableOf(commits, commitColumns(terminal, reply), (title) => terminal.paint("dim", title)));
    if (oldest > 0n) terminal.print(terminal.paint("dim", `What is before ${volume}@${oldest} is not kept any more.`));
    return exitStatus.ok;
  },
};

const diff: CliCommand<CommonOptions & { limit: number }> = {
  name: "diff",
  summary: "show what is different between two states of a volume",
  description:
    "Shows which files, folders and links of a volume are different between what it showed after one commit and what it " +
    "showed after another, or shows now.",
  operands: [
    new Argument("<volume@commit>", "the state to compare, such as models@12"),
    new Argument("[volume@commit]", "the one to compare it with (default: as it is now)"),
  ],
  options: [limit(1000), environment(), jsonOption(), dataOption()],
  examples: [
    { line: "lydian volume diff models@12", effect: "all that has changed since commit 12" },
    { line: "lydian volume diff models@12 models@13", effect: "what commit 13 has changed" },
  ],
  run: async (options, terminal, [one = "", other]) => {
    const from = stateOf(one);
    const to = other === undefined ? undefined : stateOf(other);
    if (to !== undefined && to.volume !== from.volume) {
      throw new UsageError("two states of one volume are compared, and these are two volumes", {
        hint: `say ${from.volume}@${to.commit}`,
      });
    }
    using client = await connect(options, terminal.env);
    const request = {
      volume: nameOf(from.volume, options),
      from: BigInt(from.commit),
      ...(to && { to: BigInt(to.commit) }),
      limit: options.limit,
    };
    const reply = await client.ask(methods.diffVolume, request, patienceMs);
    if (options.json === true) return printJson(terminal, operator.DiffVolumeResponseSchema, reply);
    const { changes, more } = reply;
    if (changes.length === 0) terminal.print(`${one} and ${from.volume}@${reply.to} are the same.`);
    else terminal.print(tableOf(changes, changeColumns(terminal), (title) => terminal.paint("dim", title)));
    if (more) terminal.print(terminal.paint("dim", "… and more; --limit shows them"));
    return exitStatus.ok;
  },
};

const restore: CliCommand<CommonOptions> = {
  name: "restore",
  summary: "make a volume show what it showed after a commit",
  description:
    "Makes a new commit after which the volume shows what it showed after an earlier one. Nothing is lost: what is replaced " +
    "stays in the history, and restoring that takes it back. Containers that have the volume see it when they reload, or " +
    "start; what they commit later wins, as always.",
  operands: [new Argument("<volume@commit>", "the state to come back, such as models@12")],
  options: [environment(), jsonOption(), dataOption()],
  examples: [{ line: "lydian volume restore models@12", effect: "as it was after commit 12" }],
  run: async (options, terminal, [text = ""]) => {
    const { volume, commit } = stateOf(text);
    using client = await connect(options, terminal.env);
    const request = { volume: nameOf(volume, options), commit: BigInt(commit) };
    const reply = await client.ask(methods.restoreVolume, request, patienceMs);
    if (options.json === true) return printJson(terminal, operator.RestoreVolumeResponseSchema, reply);
    if (reply.commit === 0n) terminal.print(`${volume} shows what it showed after commit ${commit} already.`);
    else {
      const { written, removed } = reply;
      terminal.print(
        `${volume} shows what it showed after commit ${commit}: commit ${reply.commit} has written ` +
          `${countedOf(written, "path")} and removed ${removed}.`,
      );
    }
    return exitStatus.ok;
  },
};

export const volume: CommandGroup = {
  name: "volume",
  summary: "volumes, their files and their history",
  description: "Volumes: made, filled, read and deleted; what they were like before, and the way back.",
  commands: [...fileCommands, history, diff, restore],
};

function commitColumns(
  terminal: Terminal,
  { head, oldest }: operator.ListVolumeCommitsResponse,
): Column<operator.VolumeCommit>[] {
  const stateNow = ({ number }: operator.VolumeCommit): string =>
    number === head ? "now" : number >= oldest ? "kept" : "forgotten";
  const colours = { now: "green", kept: "reset", forgotten: "dim" } as const;
  return [
    { title: "COMMIT", text: ({ number }) => String(number), right: true },
    { title: "MADE", text: ({ madeAtMs }) => timeOf(madeAtMs) },
    { title: "WRITTEN", text: ({ written }) => String(written), right: true },
    { title: "REMOVED", text: ({ removed }) => String(removed), right: true },
    {
      title: "STATE",
      text: stateNow,
      paint: (text, row) => terminal.paint(colours[stateNow(row) as keyof typeof colours], text),
    },
    { title: "BY", text: ({ madeBy }) => madeBy },
  ];
}

function changeColumns(terminal: Terminal): Column<operator.VolumePathChange>[] {
  const colours = { added: "green", removed: "red", changed: "yellow", touched: "dim" } as const;
  const kindOf = ({ before, after, sameContent }: operator.VolumePathChange): keyof typeof colours => {
    if (before === undefined) return "added";
    if (after === undefined) return "removed";
    return sameContent ? "touched" : "changed";
  };
  const sizeOf = (state: operator.VolumePathState | undefined): string =>
    state === undefined ? "" : state.kind === "file" ? amountOf(state.size) : state.kind;
  return [
    { title: "CHANGE", text: kindOf, paint: (text, row) => terminal.paint(colours[kindOf(row)], text) },
    { title: "BEFORE", text: ({ before }) => sizeOf(before), right: true },
    { title: "AFTER", text: ({ after }) => sizeOf(after), right: true },
    { title: "PATH", text: ({ path }) => path },
  ];
}

function nameOf(volume: string, { env = "" }: CommonOptions): { volume: string; environment: string } {
  return { volume, environment: env };
}

/** Throws a UsageError for what names no commit. */
function stateOf(text: string): State {
  const [, volume, commit] = /^(.+)@(\d{1,15})$/.exec(text) ?? [];
  if (volume !== undefined && commit !== undefined) return { volume, commit: Number(commit) };
  throw new UsageError(`${text} names no commit of a volume`, {
    hint: "say VOLUME@COMMIT, such as models@12; `lydian volume history VOLUME` lists the commits",
  });
}

/** Zeros as well: who reads it expects each field. */
function printJson<Reply extends DescMessage>(terminal: Terminal, schema: Reply, reply: MessageShape<Reply>): number {
  terminal.print(JSON.stringify(toJson(schema, reply, { alwaysEmitImplicit: true }), undefined, 2));
  return exitStatus.ok;
}

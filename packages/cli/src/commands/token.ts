/** `lydian token`: who may use the platform. */
import { toJson } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus } from "../command.ts";
import { connect } from "../platform-client.ts";
import { type Column, tableOf } from "../table.ts";
import { timeOf } from "../words.ts";
import { dataOption, jsonOption, parseAge } from "./options.ts";

const methods = operator.Operators.method;

interface Options {
  data?: string;
  json?: boolean;
}

const list: CliCommand<Options> = {
  name: "list",
  summary: "list tokens",
  description:
    "Lists the tokens that open this platform. Their secrets are shown once, when they are made, and not kept.",
  options: [jsonOption(), dataOption()],
  examples: [{ line: "lydian token list", effect: "all of them" }],
  run: async (options, terminal) => {
    using client = await connect(options, terminal.env);
    const reply = await client.ask(methods.listTokens, {});
    if (options.json) {
      terminal.print(JSON.stringify(toJson(operator.ListTokensResponseSchema, reply), undefined, 2));
    } else terminal.print(tableOf(reply.tokens, tokenColumns, (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

const create: CliCommand<Options & { expiresIn?: number }> = {
  name: "create",
  summary: "make a token for somebody else, or another machine",
  description: "Makes a token and prints it with its secret, which is shown only now.",
  operands: [new Argument("<name>", "what it is for, so that it can be found again")],
  options: [
    new Option("--expires-in <time>", "how long it is good for, such as 12h or 30d (default: for ever)").argParser(
      parseAge,
    ),
    jsonOption(),
    dataOption(),
  ],
  examples: [{ line: 'lydian token create "CI" --expires-in 90d', effect: "for `modal token set`" }],
  run: async (options, terminal, [name = ""]) => {
    using client = await connect(options, terminal.env);
    const { token, secret } = await client.ask(methods.createToken, {
      name,
      lifetimeMs: BigInt(options.expiresIn ?? 0),
    });
    const id = token?.tokenId ?? "";
    if (options.json) terminal.print(JSON.stringify({ tokenId: id, tokenSecret: secret }));
    else {
      terminal.print(`Token id:     ${id}`);
      terminal.print(`Token secret: ${secret}`);
      terminal.print(`Use it: MODAL_SERVER_URL=${client.serverUrl} modal token set --token-id ${id} --token-secret …`);
    }
    return exitStatus.ok;
  },
};

const revoke: CliCommand<Options> = {
  name: "revoke",
  summary: "take a token away",
  description: "From then on the token opens nothing. What was made with it stays.",
  operands: [new Argument("<token>", "its id or name")],
  options: [jsonOption(), dataOption()],
  examples: [{ line: 'lydian token revoke "CI"', effect: "by its name" }],
  run: async (options, terminal, [token = ""]) => {
    using client = await connect(options, terminal.env);
    const { tokenId } = await client.ask(methods.revokeToken, { token });
    terminal.print(options.json ? JSON.stringify({ tokenId }) : `${tokenId} is revoked.`);
    return exitStatus.ok;
  },
};

const approve: CliCommand<Options & { name: string }> = {
  name: "approve",
  summary: "grant a client's request for a token, or show who asks",
  description:
    "`modal token new` and `modal setup` ask for a token, and open a page that wants a code. Without a code this shows the " +
    "requests with their codes, for whoever sits before that page; with one it grants the request at once.",
  operands: [new Argument("[code]", "the request's code")],
  options: [
    new Option("--name <name>", "the token's name").default("made with modal token new"),
    jsonOption(),
    dataOption(),
  ],
  examples: [
    { line: "lydian token approve", effect: "who asks, and with which code" },
    { line: "lydian token approve K7QF-2M4X --name laptop", effect: "grants that request" },
  ],
  run: async (options, terminal, [code]) => {
    using client = await connect(options, terminal.env);
    if (code !== undefined) {
      await client.ask(methods.approveTokenRequest, { request: code, name: options.name });
      const granted = "The token is granted: the client that waits has it now.";
      terminal.print(options.json ? JSON.stringify({ granted: code }) : granted);
      return exitStatus.ok;
    }
    const reply = await client.ask(methods.listTokenRequests, {});
    if (options.json) {
      terminal.print(JSON.stringify(toJson(operator.ListTokenRequestsResponseSchema, reply), undefined, 2));
    } else if (reply.requests.length === 0) terminal.print("No client asks for a token.");
    else terminal.print(tableOf(reply.requests, requestColumns, (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

export const token: CommandGroup = {
  name: "token",
  summary: "see who may use the platform, and change that",
  description: "The tokens that open a platform. Everybody with one may do everything.",
  commands: [list, create, revoke, approve],
};

const endOf = (ms: bigint): string => (ms === 0n ? "never" : timeOf(ms));

const tokenColumns: Column<operator.TokenSummary>[] = [
  { title: "TOKEN", text: ({ tokenId }) => tokenId },
  { title: "NAME", text: ({ name, owner }) => (owner ? "(the owner's)" : name) },
  { title: "CREATED", text: ({ createdAtMs }) => timeOf(createdAtMs) },
  { title: "EXPIRES", text: ({ expiresAtMs }) => endOf(expiresAtMs) },
  { title: "STATE", text: ({ disabled }) => (disabled ? "disabled" : "in force") },
];

const requestColumns: Column<operator.TokenRequestSummary>[] = [
  { title: "CODE", text: ({ code }) => code },
  { title: "ASKED", text: ({ createdAtMs }) => timeOf(createdAtMs) },
  { title: "REQUEST", text: ({ requestId }) => requestId },
];

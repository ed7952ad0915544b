/** `lydian proxy-token`: tokens that open guarded web functions. */
import { ModalClient } from "@lydian/contract";
import { Argument } from "commander";

import { type CliCommand, type CommandGroup, exitStatus } from "../command.ts";
import { connectTo, deleteCommand, type Kind, listCommand, type NamedOptions, type NamedRow } from "./named.ts";
import { dataOption, jsonOption } from "./options.ts";

const kind: Kind<NamedRow> = {
  noun: "proxy-token",
  contents: "the access that it gives",
  operand: new Argument("<id>", "its id, such as wk-…"),
  list: async (client) => {
    const { tokens } = await client.ask(ModalClient.method.webhookTokenList, {});
    return tokens.map(({ tokenId: id, name, createdAt }) => ({ id, name, createdAt }));
  },
  columns: [{ title: "ID", text: ({ id }) => id }],
  details: () => ({}),
  remove: async (client, tokenId) => void (await client.ask(ModalClient.method.webhookTokenDelete, { tokenId })),
};

const create: CliCommand<Pick<NamedOptions, "data" | "json">> = {
  name: "create",
  summary: "make a proxy-token",
  description:
    "Makes a token that opens all guarded web functions, and prints it with its secret, which is shown only now.",
  operands: [new Argument("[name]", "what it is for, so that it can be found again")],
  options: [jsonOption(), dataOption()],
  examples: [{ line: "lydian proxy-token create shop", effect: "prints the headers that a request needs" }],
  run: async (options, terminal, [name = ""]) => {
    using client = await connectTo(options, terminal);
    const { tokenId, tokenSecret } = await client.ask(ModalClient.method.webhookTokenCreate, { name });
    const headers = { "Modal-Key": tokenId, "Modal-Secret": tokenSecret };
    if (options.json === true) terminal.print(JSON.stringify(headers));
    else for (const [header, value] of Object.entries(headers)) terminal.print(`${header}: ${value}`);
    return exitStatus.ok;
  },
};

export const proxyToken: CommandGroup = {
  name: "proxy-token",
  summary: "tokens that open guarded web functions",
  description: "Tokens whose headers open web functions that are made with requiresProxyAuth, in all environments.",
  commands: [create, listCommand(kind), deleteCommand(kind)],
};

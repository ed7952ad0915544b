/** Which definitions' containers can take what is meant for a later one. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Function_FunctionType as FunctionType, FunctionSchema$, WebhookType } from "@lydian/contract";

import { takesInputsOf } from "../../src/functions/successor.ts";

type Changes = MessageInitShape<typeof FunctionSchema$>;

const takes = (older: Changes, newer: Changes): boolean =>
  takesInputsOf(create(FunctionSchema$, older), create(FunctionSchema$, newer));

it("what is written otherwise takes the same inputs; what is called otherwise does not", () => {
  const methods = (...names: string[]): Changes => ({
    isClass: true,
    methodDefinitions: Object.fromEntries(names.map((name) => [name, { functionType: FunctionType.FUNCTION }])),
  });
  const table: [Changes, Changes, boolean][] = [
    [{ timeoutSecs: 1 }, { timeoutSecs: 2, moduleName: "other" }, true],
    [{ functionType: FunctionType.FUNCTION }, { functionType: FunctionType.GENERATOR }, false],
    [{}, { webhookConfig: { type: WebhookType.ASGI_APP } }, false],
    [{ webhookConfig: { type: WebhookType.WEB_SERVER } }, { webhookConfig: { type: WebhookType.ASGI_APP } }, false],
    [
      { webhookConfig: { type: WebhookType.WEB_SERVER, webServerPort: 1 } },
      { webhookConfig: { type: WebhookType.WEB_SERVER, webServerPort: 2 } },
      true,
    ],
    [{}, { batchMaxSize: 4 }, false],
    [{ runtime: "" }, { runtime: "node" }, false],
    [methods("a", "b"), methods("a"), true],
    [methods("a"), methods("a", "b"), false],
    [{}, methods("a"), false],
  ];
  for (const [older, newer, expected] of table) assert.equal(takes(older, newer), expected, JSON.stringify(newer));
});

/** Whether containers of one definition can do what is asked of another one, while a deployment replaces them: a pure decision. */
import type { Function, MethodDefinition } from "@lydian/contract";

type Callee = Pick<Function | MethodDefinition, "functionType" | "webhookConfig">;

/** The code may be another one: what an input has to look like, and which method it names, is not. */
export function takesInputsOf(older: Function, newer: Function): boolean {
  if (older.runtime !== newer.runtime || older.isClass !== newer.isClass) return false;
  if (older.batchMaxSize > 0 !== newer.batchMaxSize > 0 || !isAlike(older, newer)) return false;
  return Object.entries(newer.methodDefinitions).every(([name, method]) => {
    const known = older.methodDefinitions[name];
    return known !== undefined && isAlike(known, method);
  });
}

function isAlike(older: Callee, newer: Callee): boolean {
  return (
    older.functionType === newer.functionType && (older.webhookConfig?.type ?? 0) === (newer.webhookConfig?.type ?? 0)
  );
}

/** Who is calling, and whether this RPC is for them; decided before a byte of the request is read. */
import type { Identity } from "../domain/identity.ts";
import { fail, type ServerError } from "../errors.ts";
import type { Access } from "./adapter-access.ts";
import type { Caller } from "./adapter-call.ts";

/** Whether the secret belongs to the token. May answer at once, which saves a turn of the event loop. */
export type Authenticate = (tokenId: string, tokenSecret: string) => boolean | Promise<boolean>;

export interface Authority {
  authenticate: Authenticate;
  /** The container that a token opens. */
  openTask: (token: string) => string | undefined;
}

const nobody: Caller = { kind: "anyone" };

/** The caller of an RPC. Throws a ServerError when it may not call it. */
export function identify(
  rpc: string,
  access: Access,
  peer: Identity | undefined,
  header: (name: string) => string | undefined,
  { authenticate, openTask }: Authority,
): Caller | Promise<Caller> {
  if (peer !== undefined) return admit(rpc, access, callerAtDoor(peer));
  if (access === "task") {
    const [, token = ""] = /^Bearer (\S+)$/.exec(header("authorization") ?? "") ?? [];
    const id = openTask(token);
    if (id === undefined) throw staleToken(rpc);
    return { kind: "task", id };
  }
  const tokenId = credentialOf(header("x-modal-token-id"));
  const tokenSecret = credentialOf(header("x-modal-token-secret"));
  if (tokenId === undefined || tokenSecret === undefined) {
    if (access === "anyone" || access === "outsider") return nobody;
    throw access !== "container" && access !== "worker" ? missingToken(rpc) : wrongSide(rpc, access);
  }
  const valid = authenticate(tokenId, tokenSecret);
  const known = (isValid: boolean): Caller => {
    if (!isValid) throw wrongToken(tokenId);
    return admit(rpc, access, { kind: "user", tokenId });
  };
  return typeof valid === "boolean" ? known(valid) : valid.then(known);
}

/** The Go client says its credentials twice on some calls, and HTTP/2 joins what is said twice. */
function credentialOf(value: string | undefined): string | undefined {
  const [first, ...others] = value?.split(", ") ?? [];
  return (others.every((other) => other === first) ? first : value) || undefined;
}

function callerAtDoor({ kind, id }: Identity): Caller {
  return kind === "worker" ? { kind, id } : { kind: "container", id, restricted: kind === "restricted" };
}

/** The caller, if the RPC is for it; throws otherwise. */
export function admit(rpc: string, access: Access, caller: Caller): Caller {
  if (access === "anyone" || access === caller.kind) return caller;
  if (access === "outsider" && (caller.kind === "user" || caller.kind === "anyone")) return caller;
  if (caller.kind === "user" && (access === "userOrContainer" || access === "userOrAnyContainer")) return caller;
  if (caller.kind !== "container") throw wrongSide(rpc, access);
  if (access === "userOrAnyContainer" || (access === "userOrContainer" && !caller.restricted)) return caller;
  throw caller.restricted && access === "userOrContainer" ? restrictedCaller(rpc) : wrongSide(rpc, access);
}

function wrongSide(rpc: string, access: Access): ServerError {
  const whose = {
    anyone: "anyone",
    outsider: "clients",
    user: "users",
    task: "those who have a token for a container",
    container: "containers",
    userOrContainer: "users and containers",
    userOrAnyContainer: "users and containers",
    worker: "workers",
  };
  const hint = access === "container" ? { hint: "Do it within a function, where that runs on the platform" } : {};
  return fail("permissionDenied", `Only ${whose[access]} may do this (${rpc}).`, hint);
}

function restrictedCaller(rpc: string): ServerError {
  return fail("permissionDenied", `${rpc} is not for this function: it was defined with restrict_modal_access.`);
}

/** The clients then fetch another one. */
function staleToken(rpc: string): ServerError {
  return fail(
    "unauthenticated",
    `${rpc} needs a token for a container, and the one that was sent is none, or is over.`,
  );
}

function missingToken(rpc: string): ServerError {
  return fail("unauthenticated", `${rpc} needs a token, and none was sent.`, {
    hint: "Run `lydian setup`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET.",
  });
}

function wrongToken(tokenId: string): ServerError {
  return fail("unauthenticated", `Token ${tokenId} is unknown here, or its secret is wrong.`, {
    hint: "Check that the profile in ~/.modal.toml belongs to this server; `lydian setup` writes a new one.",
  });
}

/** The things that are only stored and looked up: who may call, what files and images there are. */
import type { Id } from "@lydian/kit";

export interface Workspace {
  id: Id<"ac">;
  name: string;
  /** Meant where none is named; empty only before the first start is over. */
  defaultEnvironmentId: string;
}

/** A name space: apps, secrets, volumes, dicts, queues and images of one are not found in another. */
export interface Environment {
  id: Id<"en">;
  name: string;
  /** Sets the host names of its web functions apart from those of the other environments. */
  webSuffix: string;
  createdAt: number;
}

export interface Token {
  id: string;
  /** For people; empty for the owner's. */
  name: string;
  /** SHA-256 of the secret, hex. The secret itself is random enough that nothing slower is needed. */
  secretSha256: string;
  createdAt: number;
  /** Undefined for one that does not end. */
  expiresAt: number | undefined;
  isDisabled: boolean;
}

/** A client without a token asks for one; it is given one once somebody has entered the code, which the operator sees. */
export interface TokenRequest {
  id: string;
  code: string;
  /** Of what the client says when it waits, SHA-256, hex. */
  waitSha256: string;
  createdAt: number;
  /** How long the token is to be good for, in milliseconds; undefined for ever. */
  lifetime: number | undefined;
  /** Wrong codes so far. */
  tries: number;
  /** The token's name, once it is granted. */
  grantedName: string | undefined;
}

export interface Identity {
  workspace(): Promise<Workspace | undefined>;
  putWorkspace(workspace: Workspace): Promise<void>;
  /** Those that are not deleted. */
  environments(): Promise<Environment[]>;
  /** Inserts or replaces. */
  putEnvironment(environment: Environment): Promise<void>;
  /** Its name is free from now on; what belonged to it still says so. */
  deleteEnvironment(id: string, now: number): Promise<void>;
  token(id: string): Promise<Token | undefined>;
  /** In the order in which they were made. */
  tokens(): Promise<Token[]>;
  /** Inserts or replaces. */
  putToken(token: Token): Promise<void>;
  removeToken(id: string): Promise<void>;
  tokenRequest(id: string): Promise<TokenRequest | undefined>;
  /** The oldest first. */
  tokenRequests(): Promise<TokenRequest[]>;
  /** Inserts or replaces. */
  putTokenRequest(request: TokenRequest): Promise<void>;
  removeTokenRequest(id: string): Promise<void>;
}

/** Opens web functions that ask for one: `wk-…` with its secret `ws-…`. */
export interface ProxyToken extends Pick<Token, "id" | "secretSha256" | "createdAt"> {
  /** For people; may be empty. */
  name: string;
  createdBy: string;
}

/** An immutable tree of files, by the SHA-256 of its serialized manifest. */
export interface Mount {
  id: Id<"mo">;
  manifestSha256: string;
  /** Of one that workers bring themselves, and of which nothing is stored here; else empty. */
  name: string;
}

/** An image that was published under a name; the newest of an environment and a name is what that stands for. */
export interface ImageRevision {
  /** Grows with every publication. */
  number: number;
  imageId: string;
  createdAt: number;
  createdBy: string;
}

export interface ImageName {
  /** With its tag, such as "tools:latest". */
  name: string;
  /** What it stands for now, and by which revision. */
  imageId: string;
  number: number;
  /** When it was published first, and last, and by whom. */
  createdAt: number;
  updatedAt: number;
  updatedBy: string;
}

/** Bytes that travel beside a message because they are too large for it. */
export interface Blob {
  id: Id<"bl">;
  sha256: string;
  size: number;
  /** Whether all bytes have arrived. */
  complete: boolean;
  createdAt: number;
}

/** The things that are only stored and looked up: who may call, what files and images there are. */
import type { Id } from "@lydian/kit";

export interface Workspace {
  id: Id<"ac">;
  name: string;
}

export interface Environment {
  id: Id<"en">;
  name: string;
}

export interface Token {
  id: string;
  /** SHA-256 of the secret, hex. The secret itself is random enough that nothing slower is needed. */
  secretSha256: string;
  createdAt: number;
}

/** Opens web functions that ask for one: `wk-…` with its secret `ws-…`. */
export interface ProxyToken extends Token {
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

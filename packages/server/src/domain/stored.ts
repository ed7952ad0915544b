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

/** An immutable tree of files, by the SHA-256 of its serialized manifest. */
export interface Mount {
  id: Id<"mo">;
  manifestSha256: string;
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

export interface Image {
  id: Id<"im">;
  /** What makes two requests the same image. */
  key: string;
  /** The interpreter's minor version, such as "3.11". */
  python: string;
  builderVersion: string;
}

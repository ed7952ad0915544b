/** A dict or a queue as such: what it is called, and where its contents are. */
import type { Id } from "@lydian/kit";

export type ObjectKind = "dict" | "queue";

export interface NamedObject {
  id: Id<"di" | "qu">;
  kind: ObjectKind;
  environmentId: Id<"en">;
  /** Empty for an ephemeral one, which lives as long as its client is heard of. */
  name: string;
  createdAt: number;
  createdBy: string;
  /**
   * What its contents are found under; another number as soon as it is emptied. Nobody can see what is under the old one,
   * which goes by and by. A number is never used again.
   */
  contents: number;
}

/** What a unit of work is given besides its transaction: this moment and a maker of ids. */
import type { NewId } from "@lydian/kit";

export interface Context {
  readonly now: number;
  readonly newId: NewId;
}

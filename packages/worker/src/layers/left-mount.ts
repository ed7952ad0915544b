/** What is left of a file system that is mounted nowhere any more. Its end takes a while, and is waited for by nobody. */
import { hasCode } from "@lydian/kit/errors";

import { endLater, makeReadOnly } from "./mount-calls.ts";

export class LeftMount {
  readonly #descriptor: number;
  readonly #path: string;

  /** The descriptor of a mount that is attached nowhere, and is this object's from now on. */
  constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor;
    this.#path = path;
  }

  /**
   * Ends it; answers whether nobody writes to it any more. A container that has a mount namespace of its own in it may have
   * a copy of the mount, which no umount sees, with a file open for writing.
   */
  async end(): Promise<boolean> {
    try {
      await makeReadOnly(this.#path, this.#descriptor);
      return true;
    } catch (error) {
      if (hasCode(error, "EBUSY")) return false;
      throw error;
    } finally {
      await endLater(this.#path, this.#descriptor);
    }
  }
}

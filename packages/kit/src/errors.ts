/** The root of all errors that are written for people. */

/**
 * Something that its reader can act on: the message says what happened to which thing, the hint what to do next.
 * Whatever else is thrown is a fault of Lydian's own and is reported with its stack.
 */
export class PlatformError extends Error {
  declare readonly hint?: string; // not there where nothing is known, so that printed errors have no empty field

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Whether a file system call failed with one of these codes, such as `ENOENT`. */
export function hasCode(thrown: unknown, ...codes: string[]): boolean {
  return thrown instanceof Error && "code" in thrown && codes.includes(String(thrown.code));
}

/** Whether something failed because a disk is full, also when only a program's own words say so. */
export function isDiskFull(thrown: unknown): boolean {
  return hasCode(thrown, "ENOSPC", "EDQUOT") || /no space left on device|disk quota exceeded/i.test(messageOf(thrown));
}

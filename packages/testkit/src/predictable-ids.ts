/** Ids that count up, in the shapes that the clients demand of real ones. */
import type { NewId } from "@lydian/kit";

/** The lengths that matter: an app's body has 22 characters, a task's 26 and no V at its end. */
const lengths: Readonly<Record<string, number>> = { ap: 22, ta: 26 };

/** `in-0000000000000000000003` is the third id of its maker, whatever the kinds of the others. */
export function predictableIds(): NewId {
  let count = 0;
  return (prefix) => `${prefix}-${String(++count).padStart(lengths[prefix] ?? 22, "0")}`;
}

/** A package of the workspace, with a dependency of its own. */
import { parse } from "smol-toml";

export const read = (text: string): unknown => parse(text);

/** The thread that reads what uppers have changed: a walk of many files makes nobody else wait. */
import { readFor } from "../layers/reading-thread.ts";
import { differenceOf } from "./difference.ts";
import type { UpperToRead } from "./upper-reader.ts";

readFor(({ upper, stack }: UpperToRead) => differenceOf(upper, stack));

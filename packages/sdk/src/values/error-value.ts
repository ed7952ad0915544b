/** Errors as values: what of one travels, and how it is made again. */

interface ErrorFields {
  name: string;
  message: string;
  stack: string;
  /** The names of its classes, its own first. */
  classes: string[];
  cause?: unknown;
  /** What else it has of its own. */
  data?: Record<string, unknown>;
}

export function errorFields(error: Error): ErrorFields {
  const data = Object.entries(error).filter(([name]) => !["name", "message", "stack", "cause"].includes(name));
  return {
    name: error.name,
    message: error.message,
    stack: error.stack ?? "",
    classes: classesOf(error),
    ...(error.cause !== undefined && { cause: error.cause }),
    ...(data.length > 0 && { data: Object.fromEntries(data) }),
  };
}

/** Of errors that came from elsewhere: their classes are not here. */
const foreignClasses = new WeakMap<Error, string[]>();

function classesOf(error: Error): string[] {
  const foreign = foreignClasses.get(error);
  if (foreign !== undefined) return foreign;
  const names: string[] = [];
  for (
    let at: unknown = Object.getPrototypeOf(error);
    at instanceof Error || at === Error.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    const { name } = at.constructor;
    if (name !== "" && !names.includes(name)) names.push(name);
  }
  return names;
}

/** What was thrown, or given as a value, elsewhere; of the fields it believes none to be there. */
export function errorOf(fields: unknown): Error {
  const { name, message, stack, cause, data, classes } = (
    typeof fields === "object" && fields !== null ? fields : {}
  ) as Partial<ErrorFields>;
  const error = new Error(typeof message === "string" ? message : "", cause === undefined ? undefined : { cause });
  define(error, "name", typeof name === "string" ? name : "Error", false);
  define(error, "stack", typeof stack === "string" ? stack : "", false);
  if (typeof data === "object" && data !== null)
    for (const [key, value] of Object.entries(data)) define(error, key, value);
  if (Array.isArray(classes))
    foreignClasses.set(
      error,
      classes.filter((each) => typeof each === "string"),
    );
  return error;
}

/** As what it is called with, whatever it is called. */
export function define(target: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(target, key, { value, writable: true, configurable: true, enumerable });
}

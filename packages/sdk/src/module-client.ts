/** A deployed app as the module that defines it shows itself: typed by that module, without loading it. */
import { Cls, type DefinedClass, type RemoteClass } from "./cls.ts";
import { Func } from "./func.ts";
import type { NameOptions } from "./objects/place.ts";

/** The name that a function was given, or else the one that it is exported under. */
type NameOf<T, K> =
  T extends Func<infer _, infer N>
    ? string extends N
      ? K
      : N
    : T extends DefinedClass<infer _C, infer _M>
      ? K
      : never;

/** The functions and classes among what a module exports. */
export type ClientOf<M> = {
  readonly [K in keyof M as NameOf<M[K], K> & PropertyKey]: M[K] extends DefinedClass<infer C, infer O>
    ? RemoteClass<C, O>
    : M[K];
};

/**
 * `import type * as m from "./app.ts"; const c = client<typeof m>("my-app")` has `c.hello.remote("x")` and `new c.Model({ … })`.
 * A name is looked up when it is first called.
 */
export function client<M>(app: string, options: NameOptions = {}): ClientOf<M> {
  const known = new Map<string, object>();
  return new Proxy(Object.create(null) as ClientOf<M>, {
    get(_target, key) {
      if (typeof key !== "string" || key === "then") return undefined; // it is no promise
      const found = known.get(key) ?? functionOrClass(app, key, options);
      known.set(key, found);
      return found;
    },
  });
}

/** Which of both it is shows by how it is used. */
function functionOrClass(app: string, name: string, options: NameOptions): object {
  const func: object = Func.fromName(app, name, options);
  const cls: object = Cls.fromName(app, name, options);
  return new Proxy(cls, {
    get(_target, key) {
      const member: unknown = Reflect.get(func, key);
      return typeof member === "function" ? (member.bind(func) as unknown) : member;
    },
  });
}

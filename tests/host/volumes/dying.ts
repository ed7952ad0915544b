/** Parts of a worker that die in the middle of what they do. */

export class Death extends Error {}

/** Of whose calls the one with this number, of these methods, is the last thing that happens: before it is made, or after. */
export function dying<T extends object>(
  whole: T,
  methods: readonly (keyof T)[],
  call: number,
  when: "before" | "after",
): T {
  let calls = 0;
  return new Proxy(whole, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (!methods.includes(name as keyof T)) return method;
      return async (...args: unknown[]): Promise<unknown> => {
        const isLast = ++calls === call;
        if (isLast && when === "before") throw new Death();
        const answer = await method(...args);
        if (isLast) throw new Death();
        return answer;
      };
    },
  });
}

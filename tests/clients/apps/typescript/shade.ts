/** What Node alone does not run: an enum, imported without an extension. */
// @ts-expect-error -- this checkout has none, and programs of others may
export enum Shade {
  light,
  dark,
}

export const shadeOf = (name: keyof typeof Shade): Shade => Shade[name];

/** Where things of this package are in a container, below the folder that the program's own files are in. */

/** The program's root. */
export const home = "/root";
export const ownFolder = `${home}/.lydian`;

/** Names in it. */
export const codeFolder = "code";
export const manifestName = "code.json";

/** What modules run as, and what their imports mean; paths are from the program's root. */
export interface CodeManifest {
  readonly modules: Readonly<
    Record<string, { readonly code: string; readonly imports: Readonly<Record<string, string>> }>
  >;
}

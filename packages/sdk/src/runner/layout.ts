/** Where things of this package are in a container, below the folder that the program's own files are in. */

/** The program's root. */
export const home = "/root";

/** Of the program: what it runs as. */
export const programFolder = ".lydian";

/** Of this package: the same for all programs of a version, so that containers may have it before they are anyone's. */
export const packageFolder = ".lydian-sdk";

/** Names in the program's. */
export const codeFolder = "code";
export const manifestName = "code.json";
/** Of a function that is called as an image is made. */
export const argumentsName = "arguments.cbor";

/** What modules run as, and what their imports mean; paths are from the program's root. */
export interface CodeManifest {
  readonly modules: Readonly<
    Record<string, { readonly code: string; readonly imports: Readonly<Record<string, string>> }>
  >;
}

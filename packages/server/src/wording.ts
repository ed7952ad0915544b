/** How hints name commands and code: for whoever writes Python as the public client has them, for TypeScript as this platform's own do. */

export type Language = "python" | "typescript";

/** What to do next: a text whose commands are put in the reader's own, or what differs in more than those, in each language. */
export type Hint = string | Readonly<Record<Language, string>>;

/** Commands of the public client by those that do the same, the longest first. */
const commands: readonly (readonly [RegExp, string])[] = [
  [/`modal app (logs|stop)\b/g, "`lydian $1"],
  [/`modal workspace proxy-tokens\b/g, "`lydian proxy-token"],
  [/`modal (run|serve|deploy|app|container|secret|volume|dict|queue|environment)\b/g, "`lydian $1"],
];

export function hintFor(language: Language, hint: Hint): string {
  if (typeof hint !== "string") return hint[language];
  if (language === "python") return hint;
  return commands.reduce((text, [command, own]) => text.replaceAll(command, own), hint);
}

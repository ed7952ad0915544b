/** Words of a Dockerfile: quotes, escapes and variables, as Docker reads them. Pure. */
import { PlatformError } from "@lydian/kit";

export type Variables = Readonly<Record<string, string>>;

/** Splits at blanks outside of quotes; quotes and escapes stay in the words. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === "\\" && quote !== "'") {
      word += char + (text[++at] ?? "");
    } else if (quote !== "") {
      word += char;
      if (char === quote) quote = "";
    } else if (/\s/.test(char)) {
      if (word !== "") words.push(word);
      word = "";
    } else {
      if (char === "'" || char === '"') quote = char;
      word += char;
    }
  }
  return word === "" ? words : [...words, word];
}

/**
 * The word without its quotes and escapes, with its variables replaced, though not between single quotes: `$NAME`,
 * `${NAME}`, `${NAME:-instead}` and `${NAME:+with}`. What is not set is empty.
 */
export function expand(word: string, variables: Variables): string {
  return new Expansion(word, variables).run();
}

class Expansion {
  readonly #word: string;
  readonly #variables: Variables;
  #at = 0;

  constructor(word: string, variables: Variables) {
    this.#word = word;
    this.#variables = variables;
  }

  run(): string {
    let out = "";
    while (this.#at < this.#word.length) out += this.#next();
    return out;
  }

  #next(): string {
    const char = this.#take();
    switch (char) {
      case "'":
        return this.#until("'", () => this.#take());
      case '"':
        return this.#until('"', () => this.#inDoubleQuotes());
      case "\\":
        return this.#take();
      case "$":
        return this.#variable();
      default:
        return char;
    }
  }

  #inDoubleQuotes(): string {
    const char = this.#take();
    if (char === "$") return this.#variable();
    if (char !== "\\") return char;
    const escaped = this.#take();
    return ['"', "$", "\\"].includes(escaped) ? escaped : `\\${escaped}`;
  }

  #until(end: string, next: () => string): string {
    let out = "";
    while (this.#word[this.#at] !== end) {
      if (this.#at >= this.#word.length) throw new PlatformError(`${this.#word} has no closing ${end}`);
      out += next();
    }
    this.#at++;
    return out;
  }

  #variable(): string {
    if (this.#word[this.#at] !== "{") {
      const name = this.#match(/[A-Za-z_]\w*|\d/y);
      return name === "" ? "$" : (this.#variables[name] ?? "");
    }
    this.#at++;
    const name = this.#match(/\w+/y);
    const modifier = this.#match(/:[-+?]|[-+?]/y);
    const given = modifier === "" ? "" : this.#until("}", () => this.#next());
    if (modifier === "" && this.#take() !== "}")
      throw new PlatformError(`${this.#word} has a variable that is not closed`);
    const value = this.#variables[name];
    const isSet = modifier.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
    if (modifier.endsWith("+")) return isSet ? given : "";
    if (modifier.endsWith("?") && !isSet) throw new PlatformError(`${name} is not set: ${given}`);
    return isSet ? (value ?? "") : given;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#word)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #take(): string {
    return this.#word[this.#at++] ?? "";
  }
}

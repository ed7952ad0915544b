/** The name of a kind of values in a sentence: a Map, an Array. */
export const withArticle = (name: string): string => `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;

/** Marks in what containers print, by which our own runner says whose a line is: as terminals know them, application's commands. */

const begin = "\u001b_lydian:";
const end = "\u001b\\";
/** No mark is longer; in characters. */
const longest = 128;
const marks = new RegExp(`${begin}([\\w-]*)${end.replace("\\", "\\\\")}`, "g");
/** A mark but for its end. */
const opening = new RegExp(`^${begin}[\\w-]*${end[0]}?$`);

/** Before the line, or the part of one, that the input prints. */
export function lineMark(inputId: string): string {
  return begin + inputId + end;
}

export interface Unmarked {
  readonly text: string;
  /** Of the first mark. */
  readonly inputId: string | undefined;
  /** Its end, if that may be the beginning of a mark: it belongs before what comes next. */
  readonly rest: string;
}

export function takeMarks(marked: string): Unmarked {
  if (!marked.includes("\u001b")) return { text: marked, inputId: undefined, rest: "" };
  let inputId: string | undefined;
  const text = marked.replaceAll(marks, (_, id: string) => {
    inputId ??= id;
    return "";
  });
  const cut = cutAt(text);
  return { text: text.slice(0, cut), inputId, rest: text.slice(cut) };
}

function cutAt(text: string): number {
  const opened = text.lastIndexOf(begin);
  if (opened !== -1 && text.length - opened < longest && opening.test(text.slice(opened))) return opened;
  const last = text.lastIndexOf("\u001b");
  return last !== -1 && begin.startsWith(text.slice(last)) ? last : text.length;
}

/** Lines of columns, as wide as their widest cell; numbers are flush right. */

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly right?: boolean;
  /** Colours a cell once it has its width. */
  readonly paint?: (text: string, row: Row) => string;
}

export function tableOf<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  paintTitle = (text: string): string => text,
): string {
  const widths = columns.map(({ title, text }) => Math.max(title.length, ...rows.map((row) => text(row).length)));
  const pad = (text: string, index: number): string => {
    const width = widths[index] ?? 0;
    if (columns[index]?.right === true) return text.padStart(width);
    return index === columns.length - 1 ? text : text.padEnd(width);
  };
  const titles = columns.map(({ title }, index) => paintTitle(pad(title, index))).join("  ");
  const lines = rows.map((row) =>
    columns.map(({ text, paint = (cell): string => cell }, index) => paint(pad(text(row), index), row)).join("  "),
  );
  return [titles, ...lines].map((line) => line.trimEnd()).join("\n");
}

/** A moment in milliseconds since the epoch, in the zone of whoever reads it. */
export function localTime(ms: bigint): string {
  const at = new Date(Number(ms) - new Date(Number(ms)).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 19).replace("T", " ");
}

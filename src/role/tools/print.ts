/** Rows as every command prints them. */
export type Row = Readonly<Record<string, unknown>>;

/** One array of flat objects, `[]` when empty. */
export function printJson(rows: readonly Row[]): void {
  process.stdout.write(`[${rows.map((row) => JSON.stringify(row)).join(",\n")}]\n`);
}

/** Columns padded to their widest cell, numbers to the right. */
export function printTable(rows: readonly Row[], columns: readonly string[] = Object.keys(rows[0] ?? {})): void {
  const cells = rows.map((row) => columns.map((column) => printable(textOf(row[column]))));
  const widths = columns.map((column, at) =>
    cells.reduce((widest, line) => Math.max(widest, line[at]?.length ?? 0), column.length),
  );
  const right = columns.map((column) => rows.every((row) => typeof row[column] === "number" || row[column] === null));
  const pad = (text: string, at: number) => (right[at] ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0));
  const lines = [columns.map(pad), widths.map((width) => "─".repeat(width)), ...cells.map((line) => line.map(pad))];
  process.stdout.write(lines.map((line) => `${line.join("  ").trimEnd()}\n`).join(""));
}

/** RFC 4180, with a header. */
export function printCsv(rows: readonly Row[], columns: readonly string[] = Object.keys(rows[0] ?? {})): void {
  const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [columns, ...rows.map((row) => columns.map((column) => textOf(row[column])))];
  process.stdout.write(lines.map((line) => `${line.map(quote).join(",")}\r\n`).join(""));
}

/** A cell stays on its line, and a value cannot give orders to the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (found) => JSON.stringify(found).slice(1, -1));
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

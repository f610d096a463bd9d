/** A Markdown table; everything but the columns that hold words is aligned to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumber = header.map((_, column) => rows.every((row) => /^[-–\d.]+$/.test(row[column] ?? "")));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(header), line(isNumber.map((right) => (right ? "--:" : "---"))), ...rows.map(line)].join("\n");
}

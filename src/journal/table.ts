/** A column is not padded beyond this; the rare longer cell pushes its own row aside, so that it can be copied whole. */
const MAX_PADDING = 44;

/** Rows of cells as aligned lines, two blanks between columns, `indent` before each. */
export function table(rows: readonly (readonly string[])[], indent = ''): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      if (cell.length <= MAX_PADDING) widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map(row => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}

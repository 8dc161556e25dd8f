import { cpus } from 'node:os';

/** What a cell of a table can hold; numbers are printed with as many digits as say something. */
export type Cell = string | number | null;

/** Prints rows of the same keys as a Markdown table: readable as it is, and fit for a document. */
export function printTable(title: string, rows: readonly Readonly<Record<string, Cell>>[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const table = [columns, ...rows.map((row) => columns.map((column) => formatCell(row[column] ?? null)))];
  const widths = columns.map((_, i) => Math.max(...table.map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const [head = [], ...body] = table;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  say(`\n${title}\n\n${[line(head), line(rule), ...body.map(line)].join('\n')}\n`);
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function formatCell(cell: Cell): string {
  if (cell === null) return '–';
  if (typeof cell === 'string') return cell;
  if (!Number.isFinite(cell)) return '–';
  const size = Math.abs(cell);
  return cell.toFixed(Number.isInteger(cell) || size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** Share of the machine's processor time that is in use, from now to the call of what it returns. */
export function watchMachine(): () => number {
  const read = () => {
    const times = cpus().map((cpu) => cpu.times);
    const idle = times.reduce((total, time) => total + time.idle, 0);
    const all = times.reduce(
      (total, { user, nice, sys, idle: unused, irq }) => total + user + nice + sys + unused + irq,
      0,
    );
    return { idle, all };
  };
  const start = read();
  return () => {
    const end = read();
    return 1 - (end.idle - start.idle) / Math.max(1, end.all - start.all);
  };
}

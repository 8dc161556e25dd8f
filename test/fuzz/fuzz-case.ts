/**
 * One conversation to be played to the client: what the camera says, when, and what the application does meanwhile. As an
 * object, and as a text file that a person can read.
 */

export interface FuzzCase {
  /**
   * Which part of the client listens: `record` writes a file, `receive` cuts segments as a page does, `stored` does so with
   * positions of stored media.
   */
  readonly mode: Mode;
  readonly steps: readonly Step[];
  /** How the connection ends when all is said; `silence`: not at all. */
  readonly end: End;
}

export const modes = ['record', 'receive', 'stored'] as const;
export const ends = ['silence', 'close', 'abort', 'teardown'] as const;
export const actions = ['none', 'pause', 'resume', 'seek', 'options', 'parameter', 'teardown', 'abort'] as const;
export type Mode = (typeof modes)[number];
export type End = (typeof ends)[number];
export type Action = (typeof actions)[number];

export interface Step {
  /** Milliseconds that pass before it. */
  readonly afterMs: number;
  /** What the application does then, before the camera speaks. */
  readonly action: Action;
  readonly bytes: Uint8Array;
}

/** Bytes that the camera sends in all. */
export function sizeOf({ steps }: FuzzCase): number {
  return steps.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/**
 * The file: a comment, then `mode`, `end`, and for each step a line with the time and the action, its bytes indented below,
 * those that are not printable as \xNN. Line breaks without a backslash mean nothing.
 */
export function formatCase(testCase: FuzzCase, comment: string): string {
  const lines = comment.split('\n').map((line) => `# ${line}`);
  lines.push(`mode ${testCase.mode}`, `end ${testCase.end}`);
  for (const { afterMs, action, bytes } of testCase.steps) {
    lines.push(`step ${afterMs} ${action}`, ...formatBytes(bytes));
  }
  return `${lines.join('\n')}\n`;
}

const LINE_LENGTH = 120;

function formatBytes(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  let line = '';
  for (const byte of bytes) {
    if (line.length >= LINE_LENGTH) {
      lines.push(`  ${line}`);
      line = '';
    }
    line += formatByte(byte);
    if (byte === 0x0a) {
      lines.push(`  ${line}`);
      line = '';
    }
  }
  if (line !== '') lines.push(`  ${line}`);
  return lines;
}

function formatByte(byte: number): string {
  if (byte === 0x0a) return '\\n';
  if (byte === 0x0d) return '\\r';
  if (byte === 0x20) return '\\s';
  if (byte > 0x20 && byte < 0x7f && byte !== 0x5c) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** Reads such a file; throws where it is none. */
export function parseCase(text: string): FuzzCase {
  let mode: Mode | undefined;
  let end: End | undefined;
  const steps: { afterMs: number; action: Action; bytes: number[] }[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('  ')) {
      steps.at(-1)?.bytes.push(...parseBytes(line.slice(2)));
      continue;
    }
    const [word, first = '', second = ''] = line.split(' ');
    const action = actions.find((name) => name === second);
    if (word === 'mode') mode = modes.find((name) => name === first);
    else if (word === 'end') end = ends.find((name) => name === first);
    else if (word === 'step' && action !== undefined) steps.push({ afterMs: Number(first), action, bytes: [] });
    else throw new Error(`This is no line of a case: ${line}`);
  }
  if (mode === undefined || end === undefined) throw new Error('A case has a mode and an end.');
  return { mode, end, steps: steps.map((step) => ({ ...step, bytes: Uint8Array.from(step.bytes) })) };
}

const escapes: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, s: 0x20 };

function parseBytes(text: string): number[] {
  return [...text.matchAll(/\\x([0-9a-f]{2})|\\([nrs])|([!-[\]-~])/g)].map(
    ([, hex, letter, plain]) =>
      escapes[letter ?? ''] ?? (hex === undefined ? (plain ?? '').charCodeAt(0) : Number.parseInt(hex, 16)),
  );
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { parseAdtsHeader } from '../../../client/codec/aac.js';
import { ObuType, obuTypeOf, readLeb128 } from '../../../client/codec/av1.js';
import { splitAnnexB } from '../../../client/codec/nal-unit.js';

/** Media made and judged by FFmpeg. */

const run = promisify(execFile);

export async function ffmpeg(...args: readonly string[]): Promise<string> {
  const options = { timeout: 60_000, maxBuffer: 1 << 26 };
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-threads', '1', ...args], options);
  return stdout;
}

export async function ffprobe(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('ffprobe', ['-v', 'error', ...args], { timeout: 30_000, maxBuffer: 1 << 26 });
  return stdout;
}

/** The MD5 sums of all decoded frames of a file's stream (`v:0`, `a:0`), in output order. */
export async function frameHashes(path: string, stream: string): Promise<string[]> {
  const text = await ffmpeg('-i', path, '-map', `0:${stream}`, '-vsync', 'passthrough', '-f', 'framemd5', '-');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => line.split(',').at(-1)?.trim() ?? '');
}

/**
 * The access units of an Annex B file in which each begins with an access unit delimiter.
 * @param isDelimiter - tells one; H.264's by default
 */
export async function readAccessUnits(
  path: string,
  isDelimiter = (nalUnit: Uint8Array) => ((nalUnit[0] ?? 0) & 0x1f) === 9,
): Promise<Uint8Array[][]> {
  const units: Uint8Array[][] = [];
  for (const nalUnit of splitAnnexB(await readFile(path))) {
    if (isDelimiter(nalUnit)) units.push([]);
    units.at(-1)?.push(nalUnit);
  }
  return units;
}

/** The OBUs of each temporal unit of a file of OBUs with sizes, the delimiters included. */
export async function readTemporalUnits(path: string): Promise<Uint8Array[][]> {
  const data = new Uint8Array(await readFile(path));
  const units: Uint8Array[][] = [];
  for (let position = 0; position < data.length; ) {
    const header = data[position] ?? 0;
    const size = readLeb128(data, position + ((header & 4) === 0 ? 1 : 2));
    if ((header & 2) === 0 || size === null) throw new Error(`No OBU with a size at ${position}.`);
    const end = size.next + size.value;
    if (obuTypeOf(header) === ObuType.temporalDelimiter) units.push([]);
    units.at(-1)?.push(data.subarray(position, end));
    position = end;
  }
  return units;
}

/** The raw data blocks of an ADTS file. */
export async function readAdtsBlocks(path: string): Promise<Uint8Array[]> {
  const data = new Uint8Array(await readFile(path));
  const blocks: Uint8Array[] = [];
  for (let position = 0; position < data.length; ) {
    const header = parseAdtsHeader(data.subarray(position));
    if (header === null) throw new Error(`No ADTS header at ${position}.`);
    blocks.push(data.subarray(position + header.headerBytes, position + header.frameBytes));
    position += header.frameBytes;
  }
  return blocks;
}

/** What FFmpeg reads in the headers of a file's first access unit, field by field. */
export async function traceHeaders(path: string): Promise<string> {
  const args = ['-nostdin', '-v', 'trace', '-i', path, '-c', 'copy', '-bsf:v', 'trace_headers'];
  const { stderr } = await run('ffmpeg', [...args, '-frames:v', '1', '-f', 'null', '-'], {
    timeout: 30_000,
    maxBuffer: 1 << 26,
  });
  return stderr;
}

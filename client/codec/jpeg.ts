/**
 * The headers that RTP leaves out of a baseline JPEG (RFC 2435, appendices A and B; ITU-T T.81): tables that are the same in
 * every picture, and how to write them.
 */

/** Quantisation tables of quality 50, in zigzag order (T.81, K.1 and K.2). */
const luminance: readonly number[] = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
  60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121,
  112, 100, 120, 92, 101, 103, 99,
];
const chrominance: readonly number[] = [
  17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99,
];

/** Bytes of one table of 8-bit values. */
export const QUANTISATION_TABLE_BYTES = 64;

/**
 * The two tables of a Q below 100 (RFC 2435, 4.2), luminance first: 128 bytes.
 * @param q - 1 to 99
 */
export function quantisationTables(q: number): Uint8Array {
  const factor = Math.max(1, Math.min(99, q));
  const scale = factor < 50 ? Math.floor(5_000 / factor) : 200 - 2 * factor;
  const scaled = (value: number) => Math.max(1, Math.min(255, Math.floor((value * scale + 50) / 100)));
  return Uint8Array.from([...luminance, ...chrominance], scaled);
}

/** Numbers of codes by length, and the symbols in the order of their codes (T.81, K.3 to K.6). */
interface HuffmanTable {
  /** Class in the upper four bits (0: DC, 1: AC), destination in the lower. */
  readonly id: number;
  readonly counts: string;
  readonly symbols: string;
}

const dcSymbols = '000102030405060708090a0b';
const huffmanTables: readonly HuffmanTable[] = [
  { id: 0x00, counts: '00010501010101010100000000000000', symbols: dcSymbols },
  {
    id: 0x10,
    counts: '0002010303020403050504040000017d',
    symbols:
      '01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a43' +
      '4445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2' +
      'b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa',
  },
  { id: 0x01, counts: '00030101010101010101010000000000', symbols: dcSymbols },
  {
    id: 0x11,
    counts: '00020102040403040705040400010277',
    symbols:
      '0001020311040521310612415107617113223281081442' +
      '91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a63646566676869' +
      '6a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5' +
      'd6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa',
  },
];

const START_OF_IMAGE = 0xd8;
export const END_OF_IMAGE = 0xd9;
const QUANTISATION_TABLES = 0xdb;
const RESTART_INTERVAL = 0xdd;
const START_OF_FRAME = 0xc0;
const HUFFMAN_TABLES = 0xc4;
const START_OF_SCAN = 0xda;

export interface JpegFrame {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Of the luminance, horizontally and vertically in the upper and lower four bits: 0x21 is 4:2:2, 0x22 is 4:2:0. */
  readonly sampling: number;
  /** Two tables of 64 bytes, one behind the other, luminance first; or one for both. */
  readonly quantisation: Uint8Array;
  /** Minimum coded units from one restart marker to the next; 0: there are none. */
  readonly restartInterval: number;
}

const huffmanSegment = (() => {
  const bytes = huffmanTables.flatMap(({ id, counts, symbols }) => [id, ...fromHex(counts), ...fromHex(symbols)]);
  return segment(HUFFMAN_TABLES, bytes);
})();

function fromHex(text: string): number[] {
  return (text.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

/** A marker, the length of what follows, and that. */
function segment(marker: number, content: readonly number[]): number[] {
  const length = content.length + 2;
  return [0xff, marker, length >> 8, length & 0xff, ...content];
}

/** Everything in front of the picture's entropy-coded data (RFC 2435, appendix B). */
export function writeJpegHeader({ width, height, sampling, quantisation, restartInterval }: JpegFrame): Uint8Array {
  const hasTwo = quantisation.length >= 2 * QUANTISATION_TABLE_BYTES;
  const first = [0, ...quantisation.subarray(0, QUANTISATION_TABLE_BYTES)];
  const second = hasTwo ? [1, ...quantisation.subarray(QUANTISATION_TABLE_BYTES, 2 * QUANTISATION_TABLE_BYTES)] : [];
  const chroma = hasTwo ? 1 : 0;
  return Uint8Array.from([
    ...[0xff, START_OF_IMAGE],
    ...segment(QUANTISATION_TABLES, [...first, ...second]),
    ...(restartInterval > 0 ? segment(RESTART_INTERVAL, [restartInterval >> 8, restartInterval & 0xff]) : []),
    ...segment(START_OF_FRAME, [
      8, // bits of a sample
      ...[height >> 8, height & 0xff, width >> 8, width & 0xff],
      3, // components: number, sampling, quantisation table
      ...[1, sampling, 0],
      ...[2, 0x11, chroma],
      ...[3, 0x11, chroma],
    ]),
    ...huffmanSegment,
    ...segment(START_OF_SCAN, [
      3, // components: number, Huffman tables
      ...[1, 0x00],
      ...[2, 0x11],
      ...[3, 0x11],
      ...[0, 63, 0], // the whole spectrum
    ]),
  ]);
}

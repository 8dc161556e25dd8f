import { BitReader } from '../codec/bit-reader.js';

/** The payload descriptor of VP9 (RFC 9628, 4.2). */

export interface Vp9Descriptor {
  /** Bytes of the descriptor. */
  readonly byteLength: number;
  /** I: null when it is not there. */
  readonly pictureId: number | null;
  /** Its largest value: 7 or 15 bits. */
  readonly maxPictureId: number;
  /** P */
  readonly isInterPredicted: boolean;
  /** F */
  readonly isFlexible: boolean;
  /** B and E, of the frame of one spatial layer. */
  readonly startsFrame: boolean;
  readonly endsFrame: boolean;
  /** L: null when there is one layer. */
  readonly layer: Vp9Layer | null;
  /** P_DIFF: how many pictures back those are that this one refers to, in flexible mode. */
  readonly references: readonly number[];
  /** V: size of each spatial layer's pictures, empty where they are not told. */
  readonly layerSizes: readonly { readonly width: number; readonly height: number }[];
}

export interface Vp9Layer {
  /** TID */
  readonly temporal: number;
  /** U: higher temporal layers can be taken up from here on. */
  readonly isSwitchingPoint: boolean;
  /** SID */
  readonly spatial: number;
  /** D: it refers to the next lower spatial layer of the same picture. */
  readonly isInterLayerPredicted: boolean;
  /** TL0PICIDX, 8 bits: counts the pictures of the lowest temporal layer; null in flexible mode. */
  readonly basePictureIndex: number | null;
}

/** Bytes of the longest descriptor: a scalability structure of 255 pictures with 3 references each. */
const MAX_DESCRIPTOR_BYTES = 1_100;
const MAX_REFERENCES = 3;

/** Reads the descriptor; null when it is cut short, or nothing is behind it. */
export function readVp9Descriptor(payload: Uint8Array): Vp9Descriptor | null {
  const bits = new BitReader(payload.subarray(0, MAX_DESCRIPTOR_BYTES));
  const hasPictureId = bits.flag(); // I
  const isInterPredicted = bits.flag(); // P
  const hasLayer = bits.flag(); // L
  const isFlexible = bits.flag(); // F
  const startsFrame = bits.flag(); // B
  const endsFrame = bits.flag(); // E
  const hasStructure = bits.flag(); // V
  bits.skip(1); // Z
  const isLongId = hasPictureId && bits.flag(); // M
  const pictureId = hasPictureId ? bits.unsigned(isLongId ? 15 : 7) : null;
  const layer = hasLayer ? readLayer(bits, isFlexible) : null;
  const references: number[] = [];
  if (isFlexible && isInterPredicted) {
    let goesOn = true;
    while (goesOn) {
      if (references.length === MAX_REFERENCES) return null;
      references.push(bits.unsigned(7)); // P_DIFF
      goesOn = bits.flag(); // N
    }
  }
  const layerSizes = hasStructure ? readStructure(bits) : [];
  const byteLength = bits.position >>> 3;
  if (bits.overrun || byteLength >= payload.length) return null;
  return {
    byteLength,
    pictureId,
    maxPictureId: isLongId ? 0x7fff : 0x7f,
    isInterPredicted,
    isFlexible,
    startsFrame,
    endsFrame,
    layer,
    references,
    layerSizes,
  };
}

function readLayer(bits: BitReader, isFlexible: boolean): Vp9Layer {
  return {
    temporal: bits.unsigned(3),
    isSwitchingPoint: bits.flag(),
    spatial: bits.unsigned(3),
    isInterLayerPredicted: bits.flag(),
    basePictureIndex: isFlexible ? null : bits.unsigned(8),
  };
}

/** Reads the scalability structure to its end, and returns the sizes. */
function readStructure(bits: BitReader): { width: number; height: number }[] {
  const layers = bits.unsigned(3) + 1; // N_S
  const hasSizes = bits.flag(); // Y
  const hasGroup = bits.flag(); // G
  bits.skip(3); // reserved
  const sizes: { width: number; height: number }[] = [];
  for (let layer = 0; hasSizes && layer < layers; layer++) {
    sizes.push({ width: bits.unsigned(16), height: bits.unsigned(16) }); // WIDTH, HEIGHT
  }
  const pictures = hasGroup ? bits.unsigned(8) : 0; // N_G
  for (let picture = 0; picture < pictures && !bits.overrun; picture++) {
    bits.skip(4); // TID, U
    const references = bits.unsigned(2); // R
    bits.skip(2 + 8 * references); // reserved, P_DIFF
  }
  return sizes;
}

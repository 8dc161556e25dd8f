import { BitWriter } from './bit-writer.js';

/**
 * Silent AAC-LC access units, for the places where a stream has no sound to give. Syntax: ISO/IEC 14496-3, 4.4.2.1
 * (raw_data_block) with max_sfb 0, so that no section, scale factor or spectral data follows.
 */

const SINGLE_CHANNEL_ELEMENT = 0;
const CHANNEL_PAIR_ELEMENT = 1;
const LOW_FREQUENCY_ELEMENT = 3;
const END = 7;
/** Bytes that an element takes at most: a pair has 43 bits. */
const ELEMENT_BYTES = 6;

/** Syntactic elements by number of channels (Table 1.19, channelConfiguration 1 to 7). */
const layouts: ReadonlyMap<number, readonly number[]> = new Map([
  [1, [SINGLE_CHANNEL_ELEMENT]],
  [2, [CHANNEL_PAIR_ELEMENT]],
  [3, [SINGLE_CHANNEL_ELEMENT, CHANNEL_PAIR_ELEMENT]],
  [4, [SINGLE_CHANNEL_ELEMENT, CHANNEL_PAIR_ELEMENT, SINGLE_CHANNEL_ELEMENT]],
  [5, [SINGLE_CHANNEL_ELEMENT, CHANNEL_PAIR_ELEMENT, CHANNEL_PAIR_ELEMENT]],
  [6, [SINGLE_CHANNEL_ELEMENT, CHANNEL_PAIR_ELEMENT, CHANNEL_PAIR_ELEMENT, LOW_FREQUENCY_ELEMENT]],
  [
    8,
    [SINGLE_CHANNEL_ELEMENT, CHANNEL_PAIR_ELEMENT, CHANNEL_PAIR_ELEMENT, CHANNEL_PAIR_ELEMENT, LOW_FREQUENCY_ELEMENT],
  ],
]);

/**
 * One raw_data_block of silence, or null where the number of channels has no standard layout.
 * @param channels - as the AudioSpecificConfig declares
 */
export function silentAacUnit(channels: number): Uint8Array | null {
  const layout = layouts.get(channels);
  if (layout === undefined) return null;
  const bits = new BitWriter(ELEMENT_BYTES * layout.length + 1);
  const instances = new Map<number, number>();
  for (const element of layout) {
    const instance = instances.get(element) ?? 0;
    instances.set(element, instance + 1);
    bits.write(element, 3);
    bits.write(instance, 4); // element_instance_tag
    if (element === CHANNEL_PAIR_ELEMENT) {
      bits.write(1, 1); // common_window
      writeIcsInfo(bits);
      bits.write(0, 2); // ms_mask_present
      writeChannelStream(bits, false);
      writeChannelStream(bits, false);
    } else {
      writeChannelStream(bits, true);
    }
  }
  bits.write(END, 3);
  return bits.bytes();
}

function writeIcsInfo(bits: BitWriter): void {
  bits.write(0, 1); // ics_reserved_bit
  bits.write(0, 2); // window_sequence: ONLY_LONG_SEQUENCE
  bits.write(0, 1); // window_shape
  bits.write(0, 6); // max_sfb
  bits.write(0, 1); // predictor_data_present
}

function writeChannelStream(bits: BitWriter, withIcsInfo: boolean): void {
  bits.write(0, 8); // global_gain
  if (withIcsInfo) writeIcsInfo(bits);
  bits.write(0, 1); // pulse_data_present
  bits.write(0, 1); // tns_data_present
  bits.write(0, 1); // gain_control_data_present
}

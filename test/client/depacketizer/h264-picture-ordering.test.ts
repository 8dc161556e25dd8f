import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { H264Depacketizer, loadH264Depacketizer } from '../../../client/depacketizer/h264.js';
import { bytes, type TestPacket, UnitRecorder, videoFormat } from './rtp-fixtures.js';

/** Made by x264: frame_num of 4 bits, pic_order_cnt_lsb of 6, a declared reorder depth of 2, 25 frames a second. */
const SPS = bytes('67640028acd940780227e5c044000003000400000300c83c60c658');
const PPS = bytes('68ef8fcb');
const FRAME = 3_600;

/** A group in decoding order, by the places at which its pictures are shown: a pyramid of B-frames, depth 2. */
const SHOWN = [0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11, 16, 14, 13, 15, 20, 18, 17, 19];

before(() => loadH264Depacketizer(videoFormat()));

/** Bits as text → bytes, with the stop bit. */
function rbsp(header: number, ...fields: readonly string[]): Uint8Array {
  const bits = `${fields.join('')}1`;
  const octets = bits.match(/.{1,8}/g) ?? [];
  return Uint8Array.from([header, ...octets.map((octet) => Number.parseInt(octet.padEnd(8, '0'), 2))]);
}

function fixed(value: number, width: number): string {
  return (value % 2 ** width).toString(2).padStart(width, '0');
}

function expGolomb(value: number): string {
  const bits = (value + 1).toString(2);
  return bits.padStart(2 * bits.length - 1, '0');
}

/**
 * The pictures of groups that follow one another, each in a packet.
 * @param step - of the picture order count from one frame to the next
 * @param first - the picture order count of each group's IDR picture
 */
function pictures({ step, first }: { step: number; first: readonly number[] }): TestPacket[] {
  return first.flatMap((idrOrder, group) => {
    let frameNum = 0;
    return SHOWN.map((place) => {
      const isIdr = place === 0;
      // The odd ones are what nothing refers to.
      const isReference = place % 2 === 0;
      const header = isIdr ? 0x65 : isReference ? 0x41 : 0x01;
      const sliceType = isIdr ? 7 : place % 4 === 0 ? 5 : 6; // I, P, B
      const payload = rbsp(
        header,
        expGolomb(0), // first_mb_in_slice
        expGolomb(sliceType),
        expGolomb(0), // pic_parameter_set_id
        fixed(frameNum, 4),
        isIdr ? expGolomb(group) : '', // idr_pic_id
        fixed(idrOrder + step * place, 6), // pic_order_cnt_lsb
        fixed(0xabc, 12),
      );
      if (isReference) frameNum++;
      return { payload, time: FRAME * (group * SHOWN.length + place), marker: true };
    });
  });
}

function depacketize(sps: Uint8Array, packets: readonly TestPacket[]) {
  const sets = [sps, PPS].map((payload) => ({ payload, time: 0 }));
  return new UnitRecorder(H264Depacketizer, videoFormat()).feed(...sets, ...packets);
}

/** What each unit is decoded at and shown at, in frames. */
function framesOf({ units }: UnitRecorder<H264Depacketizer>) {
  return units.map(({ decodeTime, presentationTime }) => [decodeTime / FRAME, presentationTime / FRAME]);
}

/** Decoding at an even pace, ahead of what is shown by the reorder depth. */
const inOrder = [...SHOWN, ...SHOWN.map((place) => SHOWN.length + place)].map((place, index) => [index - 2, place]);

for (const step of [1, 2, 4]) {
  test(`pic_order_cnt goes up by ${step} from frame to frame`, () => {
    const recorder = depacketize(SPS, pictures({ step, first: [0, 0] }));
    assert.deepEqual(framesOf(recorder), inOrder);
  });

  test(`an IDR picture whose pic_order_cnt is not 0, in steps of ${step}`, () => {
    // 60 of 64 stands for -4.
    const recorder = depacketize(SPS, pictures({ step, first: [10, 60] }));
    assert.deepEqual(framesOf(recorder), inOrder);
  });
}

test('a reorder depth that is not declared is found out in the first group of B-frames', () => {
  const sps = rbsp(
    0x67,
    ...[77, 0, 30].map((value) => fixed(value, 8)), // Main profile, level 3
    ...[0, 0, 0, 2].map(expGolomb), // id, frame_num of 4 bits, pic_order_cnt_type 0, pic_order_cnt_lsb of 6 bits
    expGolomb(4), // max_num_ref_frames
    '0',
    ...[19, 14].map(expGolomb), // 320×240
    '1100', // frames only, direct_8x8_inference; no cropping, no VUI
  );
  const frames = framesOf(depacketize(sps, pictures({ step: 1, first: [7, 0] })));
  const late = frames.filter(([decoded = 0, shown = 0]) => decoded > shown).map(([, shown]) => shown);
  assert.deepEqual(late, [2, 1, 3]);
  const learnt = SHOWN.indexOf(5);
  assert.deepEqual(frames.slice(learnt), inOrder.slice(learnt));
});

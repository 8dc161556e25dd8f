import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InterleavedChannels } from '../../../client/rtsp/interleaved-channels.js';
import { MAX_EARLY_BYTES, MAX_EARLY_PACKETS } from '../../../shared/limits.js';

function makeChannels() {
  const packets: [kind: 'rtp' | 'rtcp', mediaIndex: number, bytes: Uint8Array][] = [];
  const channels = new InterleavedChannels({
    onRtp: (mediaIndex, bytes) => packets.push(['rtp', mediaIndex, bytes]),
    onRtcp: (mediaIndex, bytes) => packets.push(['rtcp', mediaIndex, bytes]),
  });
  return { channels, packets };
}

const rtp = Uint8Array.of(0x80, 96, 0, 1);
const rtcp = Uint8Array.of(0x80, 200, 0, 6);

test('packets go to their medium, by channel, as what they are', () => {
  const { channels, packets } = makeChannels();
  assert.ok(channels.assign(0, { rtp: 0, rtcp: 1 }));
  assert.ok(channels.assign(3, { rtp: 6, rtcp: 7 }));
  channels.delivery = 'deliver';
  channels.push(0, rtp);
  channels.push(1, rtcp);
  channels.push(6, rtcp);
  channels.push(7, rtp);
  assert.deepEqual(packets, [
    ['rtp', 0, rtp],
    ['rtcp', 0, rtcp],
    ['rtcp', 3, rtcp],
    ['rtp', 3, rtp],
  ]);
  assert.deepEqual(channels.channels, [0, 1, 6, 7]);
  assert.equal(channels.rtcpChannelOf(3), 7);
  assert.equal(channels.rtcpChannelOf(1), null);
});

test('one channel for both, and channels that overlap', () => {
  const { channels, packets } = makeChannels();
  assert.ok(channels.assign(0, { rtp: 0, rtcp: 0 }));
  assert.equal(channels.assign(1, { rtp: 0, rtcp: 1 }), false);
  assert.equal(channels.rtcpChannelOf(1), null);
  assert.ok(channels.assign(1, { rtp: 2, rtcp: 0 }));
  channels.delivery = 'deliver';
  channels.push(0, rtcp);
  channels.push(2, rtp);
  assert.deepEqual(
    packets.map(([kind, mediaIndex]) => [kind, mediaIndex]),
    [
      ['rtcp', 0],
      ['rtp', 1],
    ],
  );
});

test('an empty frame and one of a byte are handed on, and break nothing', () => {
  const { channels, packets } = makeChannels();
  channels.assign(0, { rtp: 0, rtcp: 1 });
  channels.delivery = 'deliver';
  channels.push(0, new Uint8Array(0));
  channels.push(1, Uint8Array.of(0x80));
  assert.equal(packets.length, 2);
});

test('the bytes held are bounded as well as the packets', () => {
  const { channels, packets } = makeChannels();
  channels.assign(0, { rtp: 0, rtcp: 1 });
  const large = new Uint8Array(65_535);
  const fitting = Math.floor(MAX_EARLY_BYTES / large.length);
  for (let count = 0; count < fitting + 5; count++) channels.push(0, large);
  assert.deepEqual(channels.stats, { heldPackets: fitting, droppedPackets: 5, strayPackets: 0 });
  channels.delivery = 'deliver';
  assert.equal(packets.length, fitting);
  // And there is room again for the next time.
  channels.delivery = 'hold';
  channels.push(0, large);
  assert.equal(channels.stats.heldPackets, fitting + 1);
});

test('closed while handing over what was held: nothing more comes', () => {
  let count = 0;
  const channels = new InterleavedChannels({
    onRtp: () => {
      count++;
      channels.close();
    },
    onRtcp: () => assert.fail('handed over after close'),
  });
  channels.assign(0, { rtp: 0, rtcp: 1 });
  for (const packet of [rtp, rtp, rtcp]) channels.push(0, packet);
  channels.delivery = 'deliver';
  channels.push(0, rtp);
  assert.equal(count, 1);
});

test('whatever comes when, each packet is handed over once and in order, dropped or astray', () => {
  const packet = fc.record({
    channel: fc.nat({ max: 8 }),
    bytes: fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.constant(new Uint8Array(65_535))),
    times: fc.constantFrom(1, 1, 1, 300),
  });
  const delivery = fc.constantFrom('hold', 'hold', 'deliver', 'drop');
  fc.assert(
    fc.property(fc.array(fc.oneof(packet, packet, packet, delivery), { maxLength: 40 }), (steps) => {
      const { channels, packets } = makeChannels();
      channels.assign(0, { rtp: 0, rtcp: 1 });
      channels.assign(1, { rtp: 4, rtcp: 4 });
      let sent = 0;
      let heldPackets = 0;
      let heldBytes = 0;
      for (const step of steps) {
        if (typeof step === 'string') {
          channels.delivery = step;
          heldPackets = 0;
          heldBytes = 0;
          continue;
        }
        for (let left = step.times; left > 0; left--) {
          const { heldPackets: before } = channels.stats;
          channels.push(step.channel, step.bytes);
          sent++;
          if (channels.stats.heldPackets === before) continue;
          heldPackets++;
          heldBytes += step.bytes.length;
        }
        assert.ok(heldPackets <= MAX_EARLY_PACKETS && heldBytes <= MAX_EARLY_BYTES);
      }
      channels.delivery = 'deliver';
      const { droppedPackets, strayPackets } = channels.stats;
      assert.equal(packets.length + droppedPackets + strayPackets, sent);
    }),
    { numRuns: 200 },
  );
});

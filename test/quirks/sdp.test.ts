import assert from 'node:assert/strict';
import type { AudioTrackConfig } from '../../client/codec/track-config.js';
import { serializeRtpPacket } from '../../shared/rtp-packet.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import {
  clip,
  clipAs,
  describes,
  type Handler,
  healthySdp,
  nextFrames,
  ok,
  type Played,
  type Quirk,
  says,
  sendPackets,
  testQuirks,
} from './play-through.js';

// Session descriptions as cameras write them.

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const sets = `${base64(clip.sps)},${base64(clip.pps)}`;
const profile = Buffer.from(clip.sps.subarray(1, 4)).toString('hex').toUpperCase();

/** The clip without its parameter sets: only the description has them. */
const bareUnits = clip.accessUnits.map((unit) => unit.filter((nalUnit) => [1, 5].includes((nalUnit[0] ?? 0) & 0x1f)));

/** The healthy description with other lines before the medium. */
const headed = (...lines: string[]) => [...lines, healthySdp.slice(healthySdp.indexOf('m=video'))].join('\r\n');
const withSets = (value: string) => healthySdp.replace(`;sprop-parameter-sets=${sets}`, value);

interface Sound {
  channel: number;
  payloadType: number;
  payload: Uint8Array;
  /** Ticks of its clock from one packet to the next. */
  step: number;
}

/** Answers PLAY, and sends a group of pictures on channel 0 (unless there are none) and ten packets of sound. */
function sendsSound(sound: Sound, hasVideo = true): Handler {
  const { channel, payloadType, payload, step } = sound;
  return (request, connection) => {
    says(ok)(request, connection);
    if (hasVideo) sendPackets(connection, nextFrames(connection, 25));
    for (let index = 0; index < 10; index++) {
      const place = { sequenceNumber: index, timestamp: index * step };
      const packet = serializeRtpPacket({ payloadType, marker: true, ssrc: 9, payload, ...place });
      connection.send(serializeInterleaved(channel, packet));
    }
  };
}

/** One access unit of AAC, behind its AU header (RFC 3640, 3.3.6). */
const aac = Uint8Array.of(0, 16, 0, 20 << 3, ...new Uint8Array(20).fill(0x21));
/** One behind its length, as LATM has it. */
const latm = Uint8Array.of(20, ...new Uint8Array(20).fill(0x21));
/** MPEG-1 Layer III, 128 kbit/s at 44.1 kHz, behind RFC 2250's header. */
const mpa = Uint8Array.from({ length: 4 + 417 }, (_, at) => [0, 0, 0, 0, 0xff, 0xfb, 0x90, 0][at] ?? 0);
/** 32×32 pixels with tables of quality 50 (RFC 2435, 3.1). */
const jpeg = Uint8Array.of(0, 0, 0, 0, 1, 50, 4, 4, ...new Uint8Array(64).fill(0x11));
const hbr = 'streamtype=5;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3';

const soundFormat = (played: Played) => {
  const { encodingName, clockRate, channels } = trackOf(played, 'audio').format;
  return { encodingName, clockRate, channels };
};

function trackOf({ receiver }: Played, kind: 'video' | 'audio') {
  const track = receiver.tracks.find((candidate) => candidate.kind === kind);
  assert.ok(track !== undefined, `no ${kind}`);
  return track;
}

function soundConfig({ frames }: Played): AudioTrackConfig {
  const config = frames.find(({ track }) => track.kind === 'audio')?.unit.config;
  assert.ok(config?.kind === 'audio');
  return config;
}

function assertPicture({ frames }: Played): void {
  const config = frames[0]?.unit.config;
  assert.ok(config?.kind === 'video');
  assert.deepEqual([config.codec, config.width, config.height], [`avc1.${profile}`, 320, 180]);
}

testQuirks([
  ...Object.entries({
    'no v=, o=, s= or t=': headed('a=control:*'),
    'nothing before the medium': headed(),
    'a hexadecimal id, IN IPV4, c=IN alone, t=now-': headed(
      'v=0',
      'o=- 8f3a11c0 8F3A11C1 IN IPV4 192.168.1.10',
      's=',
      'c=IN',
      't=now-',
      'a=control:*',
    ),
    'lines that are none': headed(
      'v=0',
      'o=',
      'x',
      '=',
      'a=',
      'a=control:*',
      'a=rtpmap:',
      'b=AS:',
      'k=?',
      'm',
      'z=0 0',
    ),
  }).map(([what, sdp]): Quirk => ({ row: 56, what: `${what} (several)`, sdp, check: assertPicture })),
  {
    row: 57,
    what: 's= and i= inside of a medium (some)',
    sdp: `${healthySdp}s=Media Server\r\ni=video of channel 1\r\n`,
    check: assertPicture,
  },
  {
    row: 57,
    what: 'the video’s fmtp under the audio (some)',
    sdp: [
      withSets('')
        .replace(/a=fmtp.*\r\n/, '')
        .trimEnd(),
      'm=audio 0 RTP/AVP 8',
      `a=fmtp:96 packetization-mode=1;sprop-parameter-sets=${sets}`,
      'a=control:trackID=1',
      '',
    ].join('\r\n'),
    media: clipAs({}, bareUnits),
    on: { PLAY: sendsSound({ channel: 2, payloadType: 8, payload: new Uint8Array(160), step: 160 }) },
    frames: { video: 20, audio: 5 },
    check: assertPicture,
  },
  {
    row: 58,
    what: 'fmtp 62 for rtpmap 98 (Vitek)',
    sdp: healthySdp.replaceAll('96', '98').replace('fmtp:98', 'fmtp:62'),
    media: clipAs({ payloadType: 98 }, bareUnits),
    check: assertPicture,
  },
  {
    row: 58,
    what: 'fmtp 104 for rtpmap 97 (others)',
    sdp: `${healthySdp}m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/48000/2\r\na=fmtp:104 ${hbr};config=1408\r\n`,
    on: { PLAY: sendsSound({ channel: 2, payloadType: 97, payload: aac, step: 1024 }) },
    frames: { video: 3, audio: 5 },
    check: (played) => assert.equal(soundConfig(played).sampleRate, 16_000),
  },
  ...['m=application/TP-LINK 0 RTP/AVP smart/1/90000', 'm=vana 0 RTP/AVP 99'].flatMap((line) => {
    const medium = `${line}\r\na=rtpmap:95 TP-LINK/90000\r\na=control:track3\r\n`;
    return [`${healthySdp}${medium}`, healthySdp.replace('m=video', `${medium}m=video`)].map(
      (sdp, index): Quirk => ({
        row: 59,
        what: `${line} ${index === 0 ? 'behind' : 'before'} the picture (TP-Link)`,
        sdp,
        asks: { SETUP: ['/stream1/trackID=0'] },
        check: ({ receiver }) => assert.equal(receiver.session.description?.media.length, 2),
      }),
    );
  }),
  {
    row: 60,
    what: 'rtpmap with blanks at the end (several)',
    sdp: healthySdp.replace('H264/90000', 'H264/90000   \t'),
    check: assertPicture,
  },
  {
    row: 60,
    what: 'payload type 0 mapped to AAC (several)',
    sdp: `${healthySdp}m=audio 0 RTP/AVP 0\r\na=rtpmap:0 MPEG4-GENERIC/16000/1\r\na=fmtp:0 ${hbr};config=1408\r\n`,
    on: { PLAY: sendsSound({ channel: 2, payloadType: 0, payload: aac, step: 1024 }) },
    frames: { video: 3, audio: 5 },
    check: (played) => assert.equal(soundConfig(played).sampleEntry, 'mp4a'),
  },
  {
    row: 60,
    what: 'payload type 8 mapped to PCMU (several)',
    sdp: `${healthySdp}m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMU/8000\r\n`,
    on: { PLAY: sendsSound({ channel: 2, payloadType: 8, payload: new Uint8Array(160), step: 160 }) },
    frames: { video: 3, audio: 5 },
    check: (played) => assert.equal(soundFormat(played).encodingName, 'PCMU'),
  },
  ...(
    [
      [0, 'PCMU', 8_000, 1, new Uint8Array(160), 160],
      [8, 'PCMA', 8_000, 1, new Uint8Array(160), 160],
      [10, 'L16', 44_100, 2, new Uint8Array(4 * 882), 882],
      [11, 'L16', 44_100, 1, new Uint8Array(2 * 882), 882],
      [14, 'MPA', 90_000, null, mpa, 2351],
    ] as const
  ).map(
    ([payloadType, encodingName, clockRate, channels, payload, step]): Quirk => ({
      row: 61,
      what: `no rtpmap for the static type ${payloadType} (several)`,
      sdp: `v=0\r\ns=-\r\nm=audio 0 RTP/AVP ${payloadType}\r\na=control:track1\r\n`,
      on: { PLAY: sendsSound({ channel: 0, payloadType, payload, step }, false) },
      frames: { audio: 5 },
      check: (played) => assert.deepEqual(soundFormat(played), { encodingName, clockRate, channels }),
    }),
  ),
  {
    row: 61,
    what: 'no rtpmap for the static type 26 (several)',
    sdp: 'v=0\r\ns=-\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n',
    on: { PLAY: sendsSound({ channel: 0, payloadType: 26, payload: jpeg, step: 3_600 }, false) },
    frames: { video: 5 },
    check: (played) => assert.equal(trackOf(played, 'video').format.encodingName, 'JPEG'),
  },
  {
    row: 62,
    what: 'two media with one payload type (Ubiquiti, VLC)',
    sdp: `${healthySdp}m=audio 0 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\na=control:trackID=1\r\n`,
    on: { PLAY: sendsSound({ channel: 2, payloadType: 96, payload: new Uint8Array(160), step: 160 }) },
    frames: { video: 25, audio: 8 },
    check(played) {
      for (const track of played.receiver.tracks) assert.equal(track.stats().packetsDiscarded, 0);
      assertPicture(played);
    },
  },
  {
    row: 63,
    what: 'every medium is sendonly (some)',
    sdp: `${healthySdp}a=sendonly\r\nm=audio 0 RTP/AVP 8\r\na=sendonly\r\na=control:trackID=1\r\n`,
    on: { PLAY: sendsSound({ channel: 2, payloadType: 8, payload: new Uint8Array(160), step: 160 }) },
    frames: { video: 20, audio: 5 },
    asks: { SETUP: ['/stream1/trackID=0', '/stream1/trackID=1'] },
  },
  {
    row: 64,
    what: 'Opus with a wrong clock (VLC)',
    sdp: `${healthySdp}m=audio 0 RTP/AVP 111\r\na=rtpmap:111 opus/8000/1\r\n`,
    on: { PLAY: sendsSound({ channel: 2, payloadType: 111, payload: Uint8Array.of(0xf8, 1, 2, 3), step: 960 }) },
    frames: { video: 3, audio: 5 },
    check(played) {
      assert.deepEqual(soundFormat(played), { encodingName: 'OPUS', clockRate: 48_000, channels: 2 });
      const [first, second] = played.frames.filter(({ track }) => track.kind === 'audio');
      assert.equal(Math.round(((second?.time ?? 0) - (first?.time ?? 0)) * 1_000), 20);
    },
  },
  ...(
    [
      ['AAC without channels', 'MPEG4-GENERIC/16000', `${hbr};config=1408`, aac],
      ['AAC that contradicts its config', 'MPEG4-GENERIC/48000/2', `${hbr};config=1408`, aac],
      ['AAC with a padded config', 'mpeg4-generic/16000/1', `${hbr};config=14080000000000;`, aac],
      ['AAC with blanks and quotes around its config', 'mpeg4-generic/16000/1', `${hbr}; config="1408" ;`, aac],
      ['LATM with an empty config', 'MP4A-LATM/16000/1', 'profile-level-id=15;object=2;cpresent=0;config=', latm],
    ] as const
  ).map(
    ([what, map, fmtp, payload]): Quirk => ({
      row: 64,
      what: `${what} (several)`,
      sdp: `${healthySdp}m=audio 0 RTP/AVP 97\r\na=rtpmap:97 ${map}\r\na=fmtp:97 ${fmtp}\r\n`,
      on: { PLAY: sendsSound({ channel: 2, payloadType: 97, payload, step: 1024 }) },
      frames: { video: 3, audio: 5 },
      check(played) {
        const { sampleEntry, sampleRate, channels } = soundConfig(played);
        assert.deepEqual([sampleEntry, sampleRate, channels], ['mp4a', 16_000, 1]);
      },
    }),
  ),
  ...Object.entries({
    'with start codes': [clip.sps, clip.pps]
      .map((set) => base64(Buffer.concat([Buffer.of(0, 0, 0, 1), set])))
      .join(','),
    'both in one, with start codes': base64(
      Buffer.concat([Buffer.of(0, 0, 0, 1), clip.sps, Buffer.of(0, 0, 0, 1), clip.pps]),
    ),
    'with commas at the end': `${sets},,`,
    'with a blank behind the comma': sets.replace(',', ', '),
    'with extra bytes': [clip.sps, clip.pps].map((set) => base64(Buffer.concat([set, Buffer.alloc(3)]))).join(','),
  }).map(
    ([what, value]): Quirk => ({
      row: 65,
      what: `sprop-parameter-sets ${what} (several)`,
      sdp: withSets(`;sprop-parameter-sets=${value}`),
      media: clipAs({}, bareUnits),
      check: assertPicture,
    }),
  ),
  ...Object.entries({
    'as raw bytes': `;sprop-parameter-sets=${Buffer.from(clip.sps).toString('latin1')},${Buffer.from(clip.pps).toString('latin1')}`,
    missing: '',
    empty: ';sprop-parameter-sets=',
    'of something else, which the stream’s own overrule': ';sprop-parameter-sets=Z0IAHukBQHsg,aM4xsg==',
  }).map(
    ([what, value]): Quirk => ({
      row: 65,
      what: `sprop-parameter-sets ${what} (several)`,
      on: { DESCRIBE: describes(['Content-Base: {url}/'], withSets(value)) },
      check: assertPicture,
    }),
  ),
  ...Object.entries({ '4366366 (GW)': '4366366', 'QuAf (Macrovideo)': 'QuAf', '420029 (Hikvision)': '420029' }).map(
    ([what, value]): Quirk => ({
      row: 66,
      what: `profile-level-id=${what}`,
      sdp: healthySdp.replace('packetization-mode=1', `packetization-mode=1;profile-level-id=${value}`),
      check: assertPicture,
    }),
  ),
]);

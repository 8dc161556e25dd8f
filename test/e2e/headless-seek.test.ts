import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { AccessUnit } from '../../client/codec/access-unit.js';
import { MediaPosition } from '../../client/player/media-position.js';
import { Receiver } from '../../client/player/receiver.js';
import type { TrackReceiver } from '../../client/player/track-receiver.js';
import { TcpTransport } from '../../client/transport/tcp.js';
import { systemClock } from '../../shared/clock.js';
import { parseRtspUrl } from '../../shared/rtsp-url.js';
import { type GStreamerCamera, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { makeMediaFile, packetTimes } from '../support/media-file.js';

/*
 * Seeks in a file on GStreamer's server, without a page: every packet is known again by its bytes, so that the position
 * that it gets can be compared with its time in the file, and picture and sound with each other.
 */

const SECONDS = 40;
/** 200 have to pass as well. */
const SEEKS = Number(process.env.SEEKS ?? 40);
const kinds = { plain: 0, reordered: 2 } as const;
/** Of each track, what is looked at after a seek. */
const UNITS = 4;
const FRAME_S = 1 / 25;

const keep = keeper(after);
let camera: GStreamerCamera;
/** Times in the file, seconds, by hash. */
const files = new Map<string, { video: Map<string, number>; audio: Map<string, number> }>();

before(
  async () => {
    const mounts = await Promise.all(
      Object.entries(kinds).map(async ([name, bFrames]) => {
        const file = await makeMediaFile({ seconds: SECONDS, bFrames, audio: 'noise' });
        await keep(Promise.resolve({ stop: () => file.remove() }));
        files.set(name, { video: await packetTimes(file.path, 'v:0'), audio: await packetTimes(file.path, 'a:0') });
        return { path: `/${name}`, file: { path: file.path, tracks: ['video', 'audio'] as const } };
      }),
    );
    camera = await keep(
      startGStreamerCamera({
        mounts: mounts.map((mount) => ({ ...mount, file: { ...mount.file, tracks: [...mount.file.tracks] } })),
      }),
    );
  },
  { timeout: 60_000 },
);

interface Arrival {
  kind: TrackReceiver['kind'];
  /** Position less the time in the file, seconds. */
  error: number;
  position: number;
}

interface Playback {
  readonly receiver: Receiver;
  /** Of the present position, in the order in which they came. */
  readonly arrivals: Arrival[];
  readonly unknown: () => number;
  readonly media: () => MediaPosition;
  /** Some units of both tracks have come. */
  enough(): Promise<void>;
  /** Those that a sink would show. */
  pictures(): Arrival[];
}

/** @param startAt - seconds, null: the beginning */
function connect(name: string, startAt: number | null): Playback {
  const url = camera.url(`/${name}`);
  const arrivals: Arrival[] = [];
  let unknown = 0;
  let wake = () => {};
  let media: MediaPosition | null = null;
  const take = (track: TrackReceiver, { pieces }: AccessUnit, position: number): void => {
    const { kind } = track;
    if (kind === 'metadata') return;
    const hash = createHash('md5');
    for (const piece of pieces) hash.update(piece);
    const time = files.get(name)?.[kind].get(hash.digest('hex'));
    if (time === undefined) unknown++;
    else arrivals.push({ kind, error: position - time, position });
    wake();
  };
  const receiver = new Receiver(
    { transport: new TcpTransport(parseRtspUrl(url)), url, clock: systemClock },
    {
      onDescription: (range) => {
        assert.ok(range !== null, 'the server says that it is a file');
        media = new MediaPosition(range, startAt);
        return Promise.resolve(media);
      },
      onTracks: () => {},
      onAccessUnit: take,
      onEnd: () => {},
      onClose: () => {},
    },
  );
  const arrived = (kind: string) => arrivals.filter((arrival) => arrival.kind === kind);
  /** Frames that lead up to a position between two key frames all have its time; the one that belongs there is the nearest. */
  const pictures = () => {
    const [first, ...others] = arrived('video');
    const leadingUp = others.filter(({ position }) => position === first?.position);
    const nearest = [...(first === undefined ? [] : [first]), ...leadingUp].sort(
      (a, b) => Math.abs(a.error) - Math.abs(b.error),
    );
    return [...nearest.slice(0, 1), ...others.filter((other) => !leadingUp.includes(other))];
  };
  const enough = () =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`After ${arrivals.length} units nothing more came.`)), 5_000);
      wake = () => {
        if (pictures().length < UNITS || arrived('audio').length < UNITS) return;
        clearTimeout(timer);
        wake = () => {};
        resolve();
      };
      wake();
    });
  return { receiver, arrivals, unknown: () => unknown, media: () => media as MediaPosition, enough, pictures };
}

for (const name of Object.keys(kinds)) {
  test(`${name}: ${SEEKS} seeks, each to where the server said, picture and sound in step`, {
    timeout: 60_000 + SEEKS * 2_000,
  }, async () => {
    const { receiver, arrivals, unknown, media, enough, pictures } = connect(name, null);
    await receiver.start();
    await enough();
    const offsets: number[] = [];
    const errors: number[] = [];
    for (let count = 0; count < SEEKS; count++) {
      const target = Math.random() * (SECONDS - 3);
      await receiver.session.pause();
      arrivals.length = 0;
      media().ask(target);
      const { range } = await receiver.session.play({ range: media().nextPlay.range ?? '' });
      const said = range?.unit === 'npt' && typeof range.start === 'number' ? range.start : target;
      await enough();
      const shown = pictures();
      const [picture] = shown;
      const sounds = arrivals.filter(({ kind }) => kind === 'audio');
      const about = `seek ${count + 1} to ${target}, said ${said}: ${JSON.stringify(arrivals.slice(0, 3))}`;
      assert.ok(Math.abs((picture?.position ?? Number.NaN) - said) <= FRAME_S + 0.001, about);
      errors.push(...[...shown, ...sounds].map(({ error }) => Math.abs(error)));
      offsets.push(Math.abs((picture?.error ?? Number.NaN) - (sounds[0]?.error ?? Number.NaN)));
    }
    await receiver.teardown();
    const told = `position: ${(Math.max(...errors) * 1000).toFixed(1)} ms off at most; picture to sound: ${(Math.max(...offsets) * 1000).toFixed(1)} ms; ${unknown()} unknown units`;
    if (process.env.SEEKS !== undefined) process.stdout.write(`${name}: ${told}\n`);
    assert.ok(Math.max(...offsets) < 0.04, told);
    assert.ok(Math.max(...errors) <= FRAME_S, told);
    assert.ok(unknown() < arrivals.length * SEEKS, told);
  });

  test(`${name}: connections that begin at a position, pause and go on, picture and sound in step`, {
    timeout: 60_000,
  }, async () => {
    for (const position of [0.4, 1.5, 2.7, 6.1, 9.9, 20.3, 33.3]) {
      const { receiver, arrivals, enough, pictures } = connect(name, position);
      await receiver.start();
      await enough();
      const began = [...arrivals];
      const [picture] = pictures();
      await receiver.pause();
      arrivals.length = 0;
      await receiver.resume();
      await enough();
      const told = `${position} s: ${JSON.stringify([began, arrivals])}`;
      // The server goes to the key frame before.
      assert.ok(Math.abs((picture?.position ?? Number.NaN) - Math.floor(position)) <= FRAME_S, told);
      for (const { error } of [...began, ...arrivals]) assert.ok(Math.abs(error) <= FRAME_S, told);
      await receiver.teardown();
    }
  });
}

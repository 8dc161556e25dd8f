import { expect } from '@open-wc/testing';
import { silentAacUnit } from '../../../client/codec/aac-silence.js';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { MediaSourceSink } from '../../../client/playback/media-source-sink.js';
import type { LiveSinkOptions } from '../../../client/playback/sink.js';
import { systemClock } from '../../../shared/clock.js';
import type { StreamError } from '../../../shared/errors.js';
import { silentLogger } from '../../../shared/logger.js';
import { audioUnit, type ClipUnit, LiveFeed, loadAudio, loadVideo } from './clip-camera.js';

// Chromium's own Media Source, fed in real time with the demo camera's clip.

let main: ClipUnit[] = [];
let sub: ClipUnit[] = [];
let sound: ClipUnit[] = [];
before(async () => {
  [main, sub, sound] = await Promise.all([loadVideo('main'), loadVideo('sub'), loadAudio()]);
});

interface Fixture {
  sink: MediaSourceSink;
  container: HTMLElement;
  changes: HTMLVideoElement[];
  errors: StreamError[];
  unsupported: string[];
  feed(units: readonly ClipUnit[], kind?: 'video' | 'audio', from?: number): LiveFeed;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function makeSink(options: Partial<LiveSinkOptions> = {}): Fixture {
  const container = document.createElement('div');
  document.body.append(container);
  const changes: HTMLVideoElement[] = [];
  const errors: StreamError[] = [];
  const unsupported: string[] = [];
  const sink = new MediaSourceSink(
    { container, latency: 'low', muted: true, volume: 1, clock: systemClock, logger: silentLogger, ...options },
    {
      onVideoChange: (video) => changes.push(video),
      onUnsupported: (_kind, codec) => unsupported.push(codec),
      onSoundRefused: () => undefined,
      onError: (error) => errors.push(error),
    },
  );
  cleanups.push(() => {
    sink.close();
    container.remove();
  });
  const feed = (units: readonly ClipUnit[], kind: 'video' | 'audio' = 'video', from = 0) => {
    const push = (unit: AccessUnit, time: number) =>
      kind === 'video' ? sink.pushVideo(unit, time) : sink.pushAudio(unit, time);
    const live = new LiveFeed(units, push, from);
    cleanups.push(() => live.stop());
    return live;
  };
  return { sink, container, changes, errors, unsupported, feed };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, condition: () => boolean, timeoutMs = 6_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

/** A picture that stands for longer than some frames has stopped. */
const MOST_STANDING_MS = 300;

/** The longest time from one frame on screen to the next within a span, milliseconds, whichever video shows them. */
async function longestStandMs(sink: MediaSourceSink, spanMs: number): Promise<number> {
  const start = performance.now();
  let last = start;
  let longest = 0;
  while (performance.now() - start < spanMs) {
    // The sound may join by another video, and the former one draws nothing any more.
    const isDrawn = await Promise.race([frameOf(sink.video).then(() => true), sleep(50).then(() => false)]);
    const now = performance.now();
    longest = Math.max(longest, now - last);
    if (isDrawn) last = now;
  }
  return longest;
}

const frameOf = (video: HTMLVideoElement) =>
  new Promise<VideoFrameCallbackMetadata>((resolve) => {
    video.requestVideoFrameCallback((_now, metadata) => resolve(metadata));
  });

const bufferedSeconds = (video: HTMLVideoElement) => {
  let seconds = 0;
  for (let i = 0; i < video.buffered.length; i++) seconds += video.buffered.end(i) - video.buffered.start(i);
  return seconds;
};

/** Counts what would be seen as an interruption. */
function countWaiting(video: HTMLVideoElement): { count: number } {
  const waiting = { count: 0 };
  video.addEventListener('waiting', () => waiting.count++);
  return waiting;
}

/** The audio track that the element is fed with, by its decoder's count. */
const decodedAudio = (video: HTMLVideoElement) =>
  (video as HTMLVideoElement & { webkitAudioDecodedByteCount: number }).webkitAudioDecodedByteCount;

/** Whether a video shows a picture: not all of its pixels are of one colour. */
function showsPicture(video: HTMLVideoElement): boolean {
  if (video.readyState < 2) return false;
  const canvas = new OffscreenCanvas(16, 9);
  const context = canvas.getContext('2d');
  context?.drawImage(video, 0, 0, 16, 9);
  const pixels = context?.getImageData(0, 0, 16, 9).data ?? [];
  return pixels.some((value, index) => index % 4 !== 3 && Math.abs(value - (pixels[index % 4] ?? 0)) > 16);
}

describe('MediaSourceSink', () => {
  it('shows the first frame, and goes on without a stall, at the live edge', async () => {
    const { sink, container, errors, feed } = makeSink();
    sink.expect({ video: true, audio: false });
    const played = sink.play();
    const frame = frameOf(sink.video);
    feed(main);
    expect((await frame).width).to.equal(640);
    await played;
    expect(showsPicture(sink.video)).to.equal(true);
    await sleep(500);
    const waiting = countWaiting(sink.video);
    await sleep(2_000);
    expect(waiting.count).to.equal(0);
    expect(sink.stats().lead).to.be.lessThan(0.2);
    expect(sink.timeOnScreen).to.be.within(2, 3);
    expect(container.querySelectorAll('video')).to.have.length(1);
    expect(errors).to.deep.equal([]);
  });

  for (const latency of ['smooth', 1_500, 4_000] as const) {
    it(`shows the first frame at once with a latency of ${latency}, and the others in their time`, async () => {
      const { sink, feed } = makeSink({ latency });
      sink.expect({ video: true, audio: false });
      void sink.play();
      const start = performance.now();
      const frame = frameOf(sink.video);
      feed(main);
      await frame;
      expect(performance.now() - start).to.be.lessThan(1_000);
      const delay = latency === 'smooth' ? 0.25 : latency / 1_000;
      await sleep(1_000 * delay + 1_500);
      expect(sink.stats().lead).to.be.within(delay - 0.15, delay + 0.3);
      expect(sink.video.readyState).to.be.greaterThan(2);
    });
  }

  it('lets go of what is behind the playhead', async function () {
    this.timeout(20_000);
    const { sink, feed } = makeSink();
    sink.expect({ video: true, audio: false });
    void sink.play();
    feed(main);
    await sleep(9_000);
    expect(sink.video.currentTime).to.be.greaterThan(8);
    // 3 s behind, up to a key frame, seen to with each key frame; 1 s of declared duration ahead.
    expect(bufferedSeconds(sink.video)).to.be.lessThan(6.2);
    expect(sink.video.buffered.start(0)).to.be.greaterThan(3);
  });

  it('catches up when half a minute has been pushed at once, as after a page was in the background', async () => {
    const { sink, feed } = makeSink();
    sink.expect({ video: true, audio: false });
    void sink.play();
    const live = feed(main);
    await frameOf(sink.video);
    await sleep(500);
    live.stop();
    for (const { unit, time } of main.filter((frame) => frame.time >= 1 && frame.time < 31)) sink.pushVideo(unit, time);
    feed(main, 'video', 31);
    await until('the newest frame shows', () => (sink.timeOnScreen ?? 0) >= 31);
    await sleep(500);
    expect(sink.stats().lead).to.be.lessThan(0.3);
  });

  it('plays with sound: the picture waits for nothing, and both go on', async () => {
    const { sink, container, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    const played = sink.play();
    const frame = frameOf(sink.video);
    feed(main);
    feed(sound, 'audio');
    await frame;
    await played;
    await sleep(500);
    const waiting = countWaiting(sink.video);
    await sleep(2_000);
    expect(waiting.count).to.be.lessThan(2);
    expect(decodedAudio(sink.video)).to.be.greaterThan(0);
    expect(sink.stats().soundDelay).to.be.within(-0.05, 0.35);
    expect(container.querySelectorAll('video')).to.have.length(1);
  });

  it('sound from before the first key frame does not put the picture off', async () => {
    const { sink, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    void sink.play();
    for (const { unit, time } of sound.filter((block) => block.time < 10)) sink.pushAudio(unit, time);
    const start = performance.now();
    const frame = frameOf(sink.video);
    feed(sound, 'audio', 10);
    feed(main, 'video', 10);
    await frame;
    expect(performance.now() - start).to.be.lessThan(1_500);
    await sleep(1_000);
    expect(sink.stats().jumps).to.equal(0);
  });

  it('sound that is announced and never comes holds the picture up by no more than 300 ms', async () => {
    const { sink, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    void sink.play();
    const start = performance.now();
    const frame = frameOf(sink.video);
    feed(main);
    await frame;
    expect(performance.now() - start).to.be.lessThan(1_200);
  });

  it('sound that comes 300 ms late does not stop the picture', async () => {
    const { sink, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    void sink.play();
    feed(main);
    feed(sound, 'audio', -0.3);
    await until('sound is decoded', () => decodedAudio(sink.video) > 0);
    await sleep(1_000);
    expect(await longestStandMs(sink, 2_000)).to.be.lessThan(MOST_STANDING_MS);
  });

  it('sound that stops for 3 s does not stop the picture, and is heard again', async function () {
    this.timeout(20_000);
    const { sink, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    void sink.play();
    const start = performance.now();
    feed(main);
    const before = feed(sound, 'audio');
    await until('sound is decoded', () => decodedAudio(sink.video) > 0);
    await sleep(1_000);
    before.stop();
    expect(await longestStandMs(sink, 3_000)).to.be.lessThan(MOST_STANDING_MS);
    const { video } = sink;
    const silent = decodedAudio(video);
    feed(sound, 'audio', (performance.now() - start) / 1_000);
    expect(await longestStandMs(sink, 2_000)).to.be.lessThan(MOST_STANDING_MS);
    // Another video counts from 0.
    expect(decodedAudio(sink.video)).to.be.greaterThan(sink.video === video ? silent : 0);
  });

  it('muting ends the sound and keeps the picture; unmuting swaps without a black frame', async function () {
    this.timeout(20_000);
    const { sink, container, changes, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    void sink.play();
    feed(main);
    feed(sound, 'audio');
    await until('sound is decoded', () => decodedAudio(sink.video) > 0);
    const first = sink.video;
    sink.muted = true;
    await until('the sound is gone', () => sink.stats().soundDelay === null);
    await sleep(300);
    const waiting = countWaiting(first);
    await sleep(1_000);
    expect(waiting.count).to.equal(0);
    expect(sink.video).to.equal(first);

    sink.muted = false;
    expect(first.muted).to.equal(false);
    let joined = 0;
    await until('the other video takes over', () => {
      const videos = [...container.querySelectorAll('video')];
      joined = Math.max(joined, videos.length);
      // The later one is on top: it must never be without a picture.
      expect(showsPicture(videos.at(-1) as HTMLVideoElement)).to.equal(true);
      return sink.video !== first;
    });
    expect(joined).to.equal(2);
    expect([...container.querySelectorAll('video')]).to.deep.equal([sink.video]);
    expect(changes).to.deep.equal([sink.video]);
    expect(first.hasAttribute('src')).to.equal(false);
    expect(sink.video.muted).to.equal(false);
    await until('sound is decoded again', () => decodedAudio(sink.video) > 0);
    expect(sink.stats().presentations).to.equal(2);
  });

  it('muting while the sound is about to join gives the join up', async () => {
    const { sink, container, changes, feed } = makeSink({ muted: true });
    sink.expect({ video: true, audio: true });
    void sink.play();
    feed(main);
    feed(sound, 'audio');
    await frameOf(sink.video);
    await sleep(200);
    sink.muted = false;
    await until('the other is being made', () => container.querySelectorAll('video').length === 2);
    sink.muted = true;
    expect(container.querySelectorAll('video')).to.have.length(1);
    await sleep(500);
    expect(changes).to.deep.equal([]);
  });

  it('another latency gives the sound another place, by a new presentation', async () => {
    const { sink, changes, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    void sink.play();
    feed(main);
    feed(sound, 'audio');
    await until('sound is decoded', () => decodedAudio(sink.video) > 0);
    await sleep(300);
    sink.latency = 'smooth';
    await until('the other takes over', () => changes.length === 1);
    await sleep(1_000);
    expect(changes).to.have.length(1);
    expect(sink.stats().lead).to.be.greaterThan(0.2);
  });

  it('goes on when the picture size changes in mid-stream (day/night switches)', async () => {
    const { sink, errors, changes, feed } = makeSink();
    sink.expect({ video: true, audio: false });
    void sink.play();
    const live = feed(main);
    await frameOf(sink.video);
    await sleep(500);
    live.stop();
    feed(sub, 'video', 2);
    await until('the smaller picture shows', () => sink.video.videoWidth === 320);
    await sleep(500);
    expect((await frameOf(sink.video)).width).to.equal(320);
    expect(errors).to.deep.equal([]);
    expect(changes).to.deep.equal([]);
  });

  it('goes on when the sound changes its sample rate', async () => {
    const { sink, errors, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    void sink.play();
    feed(main);
    const live = feed(sound, 'audio');
    await until('sound is decoded', () => decodedAudio(sink.video) > 0);
    await sleep(500);
    live.stop();
    const config = sound[0]?.unit.config;
    if (config?.kind !== 'audio') throw new Error('The clip has no sound.');
    // Silence at 8 kHz, in units of twice the length (AudioSpecificConfig: AAC-LC, index 11).
    const slow = { ...config, sampleRate: 8_000, description: Uint8Array.of(0x15, 0x80 | (config.channels << 3)) };
    const silence = silentAacUnit(config.channels) ?? new Uint8Array();
    const blocks = Array.from({ length: 100 }, (_, index) => ({
      unit: audioUnit(silence, index * 1_024, index === 0 ? slow : null),
      time: 1 + index * 0.128,
    }));
    const next = new LiveFeed(blocks, (unit, time) => sink.pushAudio(unit, time), 1);
    cleanups.push(() => next.stop());
    await sleep(500);
    const { currentTime } = sink.video;
    await sleep(2_000);
    expect(sink.video.currentTime - currentTime).to.be.within(1.5, 2.5);
    expect(errors).to.deep.equal([]);
  });

  it('plays sound alone', async () => {
    const { sink, feed } = makeSink({ muted: false });
    sink.expect({ video: false, audio: true });
    const played = sink.play();
    feed(sound, 'audio');
    await played;
    await until('time goes on', () => sink.video.currentTime > 1);
    expect(decodedAudio(sink.video)).to.be.greaterThan(0);
  });

  it('plays the sound when the picture is of a codec that the browser has not', async () => {
    const { sink, unsupported, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    const played = sink.play();
    const [first] = main;
    if (first?.unit.config?.kind !== 'video') throw new Error('The clip has no picture.');
    const config = { ...first.unit.config, codec: 'avc9.000000' };
    sink.pushVideo({ ...first.unit, config }, 0);
    expect(unsupported).to.deep.equal(['avc9.000000']);
    feed(sound, 'audio');
    await played;
    await until('time goes on', () => sink.video.currentTime > 0.5);
  });

  it('plays the picture when the sound is of a codec that the browser has not', async () => {
    const { sink, unsupported, feed } = makeSink({ muted: false });
    sink.expect({ video: true, audio: true });
    const played = sink.play();
    const [first] = sound;
    if (first?.unit.config?.kind !== 'audio') throw new Error('The clip has no sound.');
    sink.pushAudio({ ...first.unit, config: { ...first.unit.config, codec: 'mp4a.99.9' } }, 0);
    expect(unsupported).to.deep.equal(['mp4a.99.9']);
    feed(main);
    await played;
    await frameOf(sink.video);
  });

  it('a decoder that stumbles is replaced, and the stream goes on at the next key frame', async () => {
    const { sink, container, changes, errors, feed } = makeSink();
    sink.expect({ video: true, audio: false });
    void sink.play();
    const broken = main.map(({ unit, time }) => {
      if (time < 0.8 || time >= 1) return { unit, time };
      // Lengths of NAL units that point nowhere.
      const piece = new Uint8Array(unit.byteLength).fill(0x7f);
      return { unit: { ...unit, pieces: [piece] }, time };
    });
    feed(broken);
    await until('another presentation was made', () => changes.length > 0);
    await frameOf(sink.video);
    expect([...container.querySelectorAll('video')]).to.deep.equal([sink.video]);
    expect(errors).to.deep.equal([]);
    expect(sink.stats().presentations).to.be.within(2, 3);
  });

  it('gives up a camera whose media fails again and again', async () => {
    const { sink, errors } = makeSink();
    sink.expect({ video: true, audio: false });
    sink.play().catch(() => undefined);
    const [first] = main;
    if (first === undefined) throw new Error('The clip is empty.');
    const unit = { ...first.unit, pieces: [new Uint8Array(first.unit.byteLength).fill(0x7f)] };
    let time = 0;
    await until('it gives up', () => {
      sink.pushVideo(unit, time);
      time += 0.04;
      return errors.length > 0;
    });
    expect(errors.map(({ code }) => code)).to.deep.equal(['media-failed']);
    expect(sink.stats().presentations).to.equal(4);
  });

  it('holds the picture while paused, and begins with a key frame of another time line after it', async () => {
    const { sink, feed } = makeSink();
    sink.expect({ video: true, audio: false });
    void sink.play();
    const live = feed(main);
    await frameOf(sink.video);
    await sleep(500);
    sink.pause();
    await sleep(300);
    const held = sink.video.currentTime;
    await sleep(500);
    expect(sink.video.currentTime).to.equal(held);
    live.stop();
    sink.reset();
    await sink.play();
    // From the middle of a group on.
    feed(main, 'video', 40.5);
    await until('it goes on', () => (sink.timeOnScreen ?? 0) >= 41);
    expect(sink.stats().lead).to.be.lessThan(0.3);
  });

  it('what was pushed before play() does not begin in the middle of a group', async () => {
    const { sink, feed } = makeSink();
    sink.expect({ video: true, audio: false });
    for (const { unit, time } of main.filter((frame) => frame.time < 0.5)) sink.pushVideo(unit, time);
    void sink.play();
    feed(main, 'video', 0.5);
    const frame = frameOf(sink.video);
    await frame;
    expect(sink.timeOnScreen).to.be.at.least(1);
  });

  it('close() at any moment leaves no <video>, no object URL and no pending play()', async () => {
    const urls = new Set<string>();
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (object) => {
      const url = createObjectURL.call(URL, object);
      urls.add(url);
      return url;
    };
    URL.revokeObjectURL = (url) => {
      urls.delete(url);
      revokeObjectURL.call(URL, url);
    };
    try {
      for (const ms of [0, 5, 30, 120, 400, 1_200]) {
        const { sink, container, feed } = makeSink({ muted: ms % 20 === 0 });
        sink.expect({ video: true, audio: true });
        const settled = sink.play().then(
          () => 'played',
          (thrown: DOMException) => thrown.name,
        );
        feed(main);
        feed(sound, 'audio');
        await sleep(ms);
        sink.muted = !sink.muted;
        await sleep(ms % 50);
        sink.close();
        sink.close();
        expect(container.querySelectorAll('video')).to.have.length(0);
        expect(['played', 'AbortError']).to.include(await settled);
        expect(await sink.play().catch((thrown: DOMException) => thrown.name)).to.equal('AbortError');
      }
      expect([...urls]).to.deep.equal([]);
    } finally {
      Object.assign(URL, { createObjectURL, revokeObjectURL });
    }
  });
});

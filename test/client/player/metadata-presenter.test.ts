import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { MetadataPresenter } from '../../../client/player/metadata-presenter.js';
import type { OnvifMetadata } from '../../../client/player/onvif-metadata.js';
import { MAX_UNPACKED_METADATA_BYTES, MAX_WAITING_METADATA } from '../../../shared/limits.js';

/** A picture whose frames a test lets pass. */
class FakePicture {
  time: number | null = null;
  #callbacks: (() => void)[] = [];
  video = { requestVideoFrameCallback: (callback: () => void) => this.#callbacks.push(callback) };

  show(time: number): void {
    this.time = time;
    for (const callback of this.#callbacks.splice(0)) callback();
  }

  get waiters(): number {
    return this.#callbacks.length;
  }
}

function makePresenter() {
  const picture = new FakePicture();
  const told: OnvifMetadata[] = [];
  const presenter = new MetadataPresenter({
    picture: () => ({ video: picture.video as unknown as HTMLVideoElement, time: picture.time }),
    utcAt: (time) => (time < 100 ? 1_000_000 + time * 1_000 : null),
    onMetadata: (metadata) => told.push(metadata),
  });
  const push = (content: string | Uint8Array<ArrayBuffer>, time: number) => presenter.push(unitOf(content), time);
  return { picture, presenter, push, told, words: () => told.map(({ xml }) => xml).join(' ') };
}

function unitOf(content: string | Uint8Array): AccessUnit {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content);
  const pieces = [bytes.subarray(0, 3), bytes.subarray(3)];
  return { presentationTime: 0, decodeTime: 0, isKeyFrame: true, pieces, byteLength: bytes.length, config: null };
}

test('a document is told with its frame, not before, with that frame’s time and UTC', async () => {
  const { picture, push, told, words } = makePresenter();
  await push('<b/>', 2);
  await push('<a/>', 1);
  assert.equal(words(), '');
  picture.show(0.96);
  assert.equal(words(), '');
  picture.show(1);
  assert.equal(words(), '<a/>');
  picture.show(5);
  assert.equal(words(), '<a/> <b/>');
  assert.deepEqual(
    told.map(({ time, date }) => [time, date?.getTime()]),
    [
      [1, 1_001_000],
      [2, 1_002_000],
    ],
  );
  assert.equal(picture.waiters, 0);
});

test('one that comes right after its frame is told with the next one', async () => {
  const { picture, push, words } = makePresenter();
  picture.show(20);
  await push('<late/>', 19.96);
  assert.equal(words(), '');
  picture.show(20.04);
  assert.equal(words(), '<late/>');
});

test('one that comes long after its frame is told at once, without a date where there is none', async () => {
  const { picture, push, told } = makePresenter();
  picture.show(200);
  await push('<late/>', 150);
  assert.equal(told[0]?.xml, '<late/>');
  assert.equal(told[0]?.date, null);
});

test('what is packed by gzip is unpacked, whatever it is called', async () => {
  const { picture, push, words } = makePresenter();
  picture.show(10);
  await push(gzipSync('<packed>ü</packed>'), 1);
  await push('<plain>ü</plain>', 2);
  assert.equal(words(), '<packed>ü</packed> <plain>ü</plain>');
});

test('what cannot be unpacked, or unpacks to too much, is dropped and counted', async () => {
  const { picture, presenter, push, words } = makePresenter();
  picture.show(10);
  const packed = gzipSync('<a/>'.repeat(1_000));
  await push(packed.subarray(0, 20), 1);
  await push(gzipSync(new Uint8Array(MAX_UNPACKED_METADATA_BYTES + 1)), 2);
  assert.equal(words(), '');
  assert.equal(presenter.dropped, 2);
});

test('documents for frames that never come do not pile up', async () => {
  const { picture, presenter, push, told } = makePresenter();
  picture.show(0);
  for (let index = 1; index <= MAX_WAITING_METADATA + 3; index++) await push(`<n${index}/>`, index);
  assert.equal(presenter.dropped, 3);
  assert.equal(picture.waiters, 1);
  picture.show(10_000);
  assert.equal(told.length, MAX_WAITING_METADATA);
  assert.equal(told[0]?.xml, '<n4/>');
});

test('another position forgets those of the old one, also those still being unpacked', async () => {
  const { picture, presenter, push, words } = makePresenter();
  await push('<waiting/>', 1);
  const unpacking = push(gzipSync('<unpacking/>'), 2);
  presenter.reset();
  await unpacking;
  picture.show(10);
  await push('<new/>', 1);
  assert.equal(words(), '<new/>');
});

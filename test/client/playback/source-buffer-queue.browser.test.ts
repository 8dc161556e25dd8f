import { expect } from '@open-wc/testing';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { SourceBufferQueue } from '../../../client/playback/source-buffer-queue.js';
import type { StreamError } from '../../../shared/errors.js';

/** A SourceBuffer that takes or refuses as it is told, and says when it is done only on demand. */
class StubSourceBuffer extends EventTarget {
  updating = false;
  readonly log: string[] = [];
  /** Thrown by the next appends; the last one stays. */
  refusals: (DOMException | null)[] = [null];
  buffered = { length: 1, start: () => 0, end: () => 100 };

  appendBuffer(bytes: Uint8Array): void {
    const refusal = this.refusals.length > 1 ? this.refusals.shift() : this.refusals[0];
    if (refusal !== null && refusal !== undefined) throw refusal;
    this.log.push(isInit(bytes) ? `init ${bytes.length}` : `media ${samplesIn(bytes)}`);
    this.updating = true;
  }

  remove(start: number, end: number): void {
    this.log.push(`remove ${start} ${end}`);
    this.updating = true;
  }

  changeType(type: string): void {
    this.log.push(`type ${type}`);
  }

  done(): void {
    this.updating = false;
    this.dispatchEvent(new Event('updateend'));
  }

  /** Until nothing more is asked of it. */
  drain(): void {
    for (let i = 0; i < 100 && this.updating; i++) this.done();
  }
}

const text = (bytes: Uint8Array, at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
const isInit = (bytes: Uint8Array) => text(bytes, 4) !== 'moof';

/** trun's sample_count. */
function samplesIn(bytes: Uint8Array): number {
  for (let at = 4; at < bytes.length; at++) {
    if (text(bytes, at) === 'trun') return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 8);
  }
  return -1;
}

function sample(index: number, isKeyFrame: boolean, byteLength = 10) {
  const unit: AccessUnit = {
    presentationTime: 0,
    decodeTime: 0,
    isKeyFrame,
    pieces: [new Uint8Array(byteLength)],
    byteLength,
    config: null,
  };
  return { unit, decodeTime: index * 3_600, presentationTime: index * 3_600, duration: 90_000 };
}

function make(onQuotaExceeded = () => 5) {
  const buffer = new StubSourceBuffer();
  const errors: StreamError[] = [];
  const queue = new SourceBufferQueue(buffer as unknown as SourceBuffer, 1, {
    onError: (error) => errors.push(error),
    onQuotaExceeded,
  });
  return { buffer, queue, errors };
}

const init = (length: number) => new Uint8Array(length);
const quota = () => new DOMException('Full.', 'QuotaExceededError');

describe('SourceBufferQueue', () => {
  it('hands a sample over at once while idle, and what piles up in one append', () => {
    const { buffer, queue } = make();
    queue.appendInit(init(8), null);
    buffer.done();
    queue.append(sample(0, true));
    for (let i = 1; i < 6; i++) queue.append(sample(i, false));
    expect(queue.waitingSamples).to.equal(5);
    buffer.drain();
    expect(buffer.log).to.deep.equal(['init 8', 'media 1', 'media 5']);
  });

  it('another configuration comes behind what waited, with its type right before it', () => {
    const { buffer, queue } = make();
    queue.appendInit(init(8), null);
    queue.append(sample(0, true));
    queue.appendInit(init(9), 'video/mp4; codecs="avc1.64001f"');
    queue.append(sample(1, true));
    buffer.drain();
    expect(buffer.log).to.deep.equal([
      'init 8',
      'media 1',
      'type video/mp4; codecs="avc1.64001f"',
      'init 9',
      'media 1',
    ]);
  });

  it('removes what is behind when idle, once, and only where there is something', () => {
    const { buffer, queue } = make();
    queue.appendInit(init(8), null);
    queue.removeBefore(2);
    queue.removeBefore(3);
    queue.removeBefore(1);
    buffer.drain();
    expect(buffer.log).to.deep.equal(['init 8', 'remove 0 3']);
    buffer.buffered = { length: 0, start: () => 0, end: () => 0 };
    queue.removeBefore(9);
    expect(buffer.log).to.have.length(2);
  });

  it('makes room when the quota is met, and tries the same again', () => {
    const { buffer, queue } = make();
    buffer.refusals = [quota(), null];
    queue.append(sample(0, true));
    buffer.drain();
    expect(buffer.log).to.deep.equal(['remove 0 5', 'media 1']);
    expect(queue.droppedSamples).to.equal(0);
  });

  it('where no room can be made, it drops up to the next key frame, counts, and goes on', () => {
    for (const room of [0, 5]) {
      const { buffer, queue, errors } = make(() => room);
      buffer.refusals = [quota()];
      queue.append(sample(0, true));
      buffer.drain();
      queue.append(sample(1, false));
      expect(queue.droppedSamples).to.equal(2);
      buffer.refusals = [null];
      queue.append(sample(2, false));
      queue.append(sample(3, true));
      buffer.drain();
      expect(buffer.log.filter((entry) => entry.startsWith('media'))).to.deep.equal(['media 1']);
      expect(queue.droppedSamples).to.equal(3);
      expect(errors).to.deep.equal([]);
    }
  });

  it('an init segment outlives the quota', () => {
    const { buffer, queue } = make(() => 0);
    buffer.refusals = [quota()];
    queue.appendInit(init(8), 'video/mp4; codecs="avc1.64001f"');
    queue.append(sample(0, true));
    buffer.refusals = [null];
    queue.append(sample(1, true));
    buffer.drain();
    expect(buffer.log.slice(-2)).to.deep.equal(['init 8', 'media 1']);
    expect(buffer.log).to.include('type video/mp4; codecs="avc1.64001f"');
  });

  it('holds no more than its bounds while the browser is busy', () => {
    const { buffer, queue } = make();
    queue.appendInit(init(8), null);
    for (let i = 0; i < 5_000; i++) queue.append(sample(i, i % 25 === 0));
    expect(queue.waitingSamples).to.be.lessThan(1_001);
    expect(queue.droppedSamples + queue.waitingSamples).to.equal(5_000);
    const big = make();
    big.queue.appendInit(init(8), null);
    for (let i = 0; i < 40; i++) big.queue.append(sample(i, i % 4 === 0, 1_048_576));
    expect(big.queue.waitingSamples).to.be.lessThan(18);
    expect(buffer.log).to.deep.equal(['init 8']);
  });

  it('a camera that changes its configuration with every frame fills no memory', () => {
    const { buffer, queue } = make();
    queue.appendInit(init(8), null);
    for (let i = 0; i < 1_000; i++) {
      queue.appendInit(init(100 + i), null);
      queue.append(sample(i, true));
    }
    buffer.drain();
    expect(buffer.log.length).to.be.lessThan(70);
    expect(buffer.log.at(-2)).to.equal('init 1099');
    expect(buffer.log.at(-1)).to.equal('media 1');
  });

  it('a refusal of another kind, or an error event, ends it once', () => {
    const { buffer, queue, errors } = make();
    buffer.refusals = [new DOMException('Gone.', 'InvalidStateError')];
    queue.append(sample(0, true));
    buffer.dispatchEvent(new Event('error'));
    queue.append(sample(1, true));
    queue.appendInit(init(8), null);
    queue.removeBefore(4);
    expect(errors.map(({ code }) => code)).to.deep.equal(['media-failed']);
    expect(buffer.log).to.deep.equal([]);
  });

  it('after close() nothing is asked of the buffer', () => {
    const { buffer, queue, errors } = make();
    queue.appendInit(init(8), null);
    queue.append(sample(0, true));
    queue.close();
    queue.close();
    buffer.done();
    buffer.dispatchEvent(new Event('error'));
    expect(buffer.log).to.deep.equal(['init 8']);
    expect(errors).to.deep.equal([]);
  });
});

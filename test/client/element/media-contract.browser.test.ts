import { expect } from '@open-wc/testing';
import { StreamError } from '../../../shared/errors.js';
import {
  clearPage,
  defineWithFakePlayer,
  mount,
  notAllowed,
  player,
  record,
  settled,
  warningsOf,
} from './fake-camera.js';
import { FakePlayer } from './fake-player.js';

defineWithFakePlayer();
afterEach(clearPage);

/** What a promise rejects with. */
async function reasonOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (reason) {
    if (reason instanceof Error) return reason;
    throw new Error(`Rejected with ${reason}.`);
  }
  throw new Error('It did not reject.');
}

function once(target: EventTarget, type: string): Promise<Event> {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}

describe('<rtsp-player> as a media element', () => {
  it('has the values of an empty media element before a src is set', async () => {
    const element = await mount();
    expect(element.state).to.equal('idle');
    expect(element.paused).to.equal(true);
    expect(element.ended).to.equal(false);
    expect(element.seeking).to.equal(false);
    expect(element.currentTime).to.equal(0);
    expect(element.duration).to.be.NaN;
    expect(element.buffered.length + element.seekable.length + element.played.length).to.equal(0);
    expect(element.readyState).to.equal(0);
    expect(element.networkState).to.equal(0);
    expect(element.error).to.equal(null);
    expect(element.video).to.equal(null);
    expect(element.getStats()).to.equal(null);
    expect(element.currentDate).to.equal(null);
    expect(element.volume).to.equal(1);
    expect(element.muted).to.equal(false);
    expect(element.playbackRate).to.equal(1);
    expect(element.videoWidth).to.equal(0);
    expect(element.currentSrc).to.equal('');
    expect(element.getVideoPlaybackQuality().totalVideoFrames).to.equal(0);
    expect(FakePlayer.made).to.have.length(0);
  });

  it('reflects what HTML reflects, and never the credentials', async () => {
    const element = await mount();
    Object.assign(element, { src: 'front', poster: 'data:,', label: 'Front', username: 'eve', password: 'secret' });
    Object.assign(element, { autoplay: true, controls: true, loop: true, defaultMuted: true });
    await settled(element);
    const names = element.getAttributeNames().sort().join(' ');
    expect(names).to.equal('autoplay controls label loop muted poster src');
    element.removeAttribute('src');
    expect(element.src).to.equal('');
  });

  it('waits for play() without autoplay, then connects to what the attributes say', async () => {
    const element = await mount({ src: 'front/sub', username: 'eve', password: 'x', latency: 'low' });
    expect(FakePlayer.made).to.have.length(0);
    const seen = record(element, 'play', 'statechange');
    await element.play();
    expect(seen).to.deep.equal(['play', 'statechange:connecting']);
    expect(element.paused).to.equal(false);
    expect(player().calls).to.deep.equal(['start', 'play']);
    const { tokens, ...source } = player().options.source;
    expect(await tokens?.get()).to.equal('');
    expect(source).to.deep.equal({
      url: 'rtsp://front/',
      webSocketUrl: 'ws://proxy.example/rtsp/front/sub',
      credentials: { username: 'eve', password: 'x' },
    });
    expect(player().options.latency).to.equal('low');
  });

  it('plays by itself with autoplay, and gives the video’s events out as its own', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    const seen = record(element, 'loadedmetadata', 'loadeddata', 'canplay', 'playing', 'statechange');
    const timeUpdate = once(element, 'timeupdate');
    await player().showPicture();
    await timeUpdate;
    expect(seen).to.include.members(['loadedmetadata', 'loadeddata', 'canplay', 'playing', 'statechange:playing']);
    expect(element.video).to.equal(player().video);
    expect(element.videoWidth).to.equal(320);
    expect(element.duration).to.equal(Number.POSITIVE_INFINITY);
    expect(element.networkState).to.equal(2);
    expect(element.readyState).to.be.at.least(2);
    expect(element.getStats()).to.not.equal(null);
    expect(element.currentDate?.getTime()).to.equal(0);
    expect(element.isAtLiveEdge).to.equal(true);
    expect(element.captureStream().getVideoTracks()).to.have.length(1);
  });

  it('starts when autoplay is set later, but not after pause()', async () => {
    const element = await mount({ src: 'front' });
    element.autoplay = true;
    await settled(element);
    expect(FakePlayer.made).to.have.length(1);
    const other = await mount({ src: 'front' });
    other.pause();
    other.autoplay = true;
    await settled(other);
    expect(FakePlayer.made).to.have.length(1);
  });

  it('pauses and goes on', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    await player().showPicture();
    const seen = record(element, 'pause', 'play', 'statechange');
    element.pause();
    expect(element.paused).to.equal(true);
    await element.play();
    expect(seen).to.deep.equal(['pause', 'statechange:paused', 'play', 'statechange:playing']);
    expect(FakePlayer.made).to.have.length(1);
  });

  it("follows the browser's own pause button", async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    await player().showPicture();
    const paused = once(element, 'pause');
    player().video.pause();
    await paused;
    expect(player().calls.at(-1)).to.equal('pause');
    expect(element.state).to.equal('paused');
    const played = once(element, 'play');
    await player().video.play();
    await played;
    expect(element.paused).to.equal(false);
  });

  it('takes the present src when play() follows in the same task', async () => {
    const element = await mount({ src: 'front' });
    element.src = 'back';
    await element.play();
    await settled(element);
    expect(FakePlayer.made).to.have.length(1);
    expect(player().options.source.url).to.equal('rtsp://back/');
  });

  it('empties and loads anew when src changes, and once for several changes', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    const seen = record(element, 'emptied', 'loadstart', 'statechange');
    element.src = 'back';
    element.proxy = 'wss://other.example/rtsp';
    element.username = 'eve';
    await settled(element);
    expect(seen).to.deep.equal(['statechange:idle', 'emptied', 'loadstart', 'statechange:connecting']);
    expect(player(0).calls.at(-1)).to.equal('close');
    expect(player().options.source.webSocketUrl).to.equal('wss://other.example/rtsp/back');
    expect(FakePlayer.made).to.have.length(2);
  });

  it('stops when src is taken away', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    const seen = record(element, 'emptied', 'loadstart');
    element.removeAttribute('src');
    await settled(element);
    expect(seen).to.deep.equal(['emptied']);
    expect(player().calls.at(-1)).to.equal('close');
    expect(element.state).to.equal('idle');
    expect(element.networkState).to.equal(0);
  });

  it('hears nothing from a player that it has closed', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    const former = player();
    element.load();
    await settled(element);
    const seen = record(element, 'statechange', 'error', 'trackschange', 'warning');
    former.fail('timeout', 'Late.');
    former.setTracks('video');
    former.handlers.onWarning(new StreamError('timeout', 'Late.'));
    expect(seen).to.deep.equal([]);
    expect(element.video).to.equal(player().video);
  });

  it('gives volume and mute to the player, and says so', async () => {
    const element = await mount({ src: 'front', autoplay: '', muted: '' });
    expect(player().options.muted).to.equal(true);
    const seen = record(element, 'volumechange');
    element.muted = false;
    element.muted = false;
    element.volume = 0.4;
    element.volume = 7;
    expect(seen).to.have.length(3);
    expect(player().muted).to.equal(false);
    expect(player().volume).to.equal(1);
    expect(element.defaultMuted).to.equal(true);
  });

  it('follows the muted attribute until muted is set', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    element.setAttribute('muted', '');
    await settled(element);
    expect(player().muted).to.equal(true);
    element.muted = false;
    element.removeAttribute('muted');
    element.setAttribute('muted', '');
    await settled(element);
    expect(element.muted).to.equal(false);
  });

  it('seeks to the live edge', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    element.seekToLive();
    expect(player().calls.at(-1)).to.equal('seekToLive');
    element.currentTime = 5;
    expect(player().calls.filter((call) => call === 'seekToLive')).to.have.length(1);
  });

  it('answers canPlayType for cameras and for what Media Source takes', async () => {
    const element = await mount();
    expect(element.canPlayType('application/x-rtsp')).to.equal('maybe');
    expect(element.canPlayType('application/sdp; charset=utf-8')).to.equal('maybe');
    expect(element.canPlayType('video/mp4; codecs="avc1.42E01E"')).to.equal('probably');
    expect(element.canPlayType('video/nothing')).to.equal('');
  });
});

describe('<rtsp-player> in trouble', () => {
  it('says invalid-url for a src that makes no sense, and plays a better one', async () => {
    const element = await mount({ src: 'Front Door', autoplay: '' });
    expect(element.state).to.equal('error');
    expect(element.error?.code).to.equal('invalid-url');
    expect(element.networkState).to.equal(3);
    expect((await reasonOf(element.play())).name).to.equal('NotSupportedError');
    element.src = 'front';
    await settled(element);
    expect(element.state).to.equal('connecting');
    expect(element.error).to.equal(null);
  });

  it('refuses play() without a src', async () => {
    const element = await mount();
    expect((await reasonOf(element.play())).name).to.equal('NotSupportedError');
    expect(element.paused).to.equal(true);
  });

  it('says so in a browser that cannot play at all', async () => {
    FakePlayer.failure = new StreamError('media-source-missing', 'This browser has no Media Source Extensions.');
    const element = await mount({ src: 'front', autoplay: '' });
    expect(element.state).to.equal('error');
    expect(element.error?.code).to.equal('media-source-missing');
    expect((await reasonOf(element.play())).message).to.contain('Media Source');
  });

  it('gives out the error of the player, and play() tries again', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    const seen = record(element, 'error', 'statechange');
    player().fail('not-found', 'The proxy knows no camera "front".');
    expect(seen).to.deep.equal(['statechange:error', 'error']);
    expect(element.error?.code).to.equal('not-found');
    await element.play();
    expect(player(0).calls.at(-1)).to.equal('close');
    expect(element.state).to.equal('connecting');
    expect(element.error).to.equal(null);
  });

  it('waits while the player reconnects', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    await player().showPicture();
    const seen = record(element, 'statechange', 'waiting', 'error', 'pause');
    player().interrupt('no-data', 'Nothing came for 3 s.');
    expect(seen).to.deep.equal(['statechange:reconnecting', 'waiting']);
    expect(element.error).to.equal(null);
    expect(element.paused).to.equal(false);
  });

  it('is paused after the end', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    await player().showPicture();
    const seen = record(element, 'statechange', 'pause', 'ended');
    player().enter('ended');
    expect(seen).to.deep.equal(['statechange:ended', 'pause', 'ended']);
    expect(element.ended).to.equal(true);
  });

  it('passes warnings and tracks on', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    const warned = once(element, 'warning');
    player().handlers.onWarning(new StreamError('codec-unsupported', 'H.265 cannot be played here.'));
    expect((await warned) as CustomEvent).to.have.nested.property('detail.code', 'codec-unsupported');
    const changed = once(element, 'trackschange');
    player().setTracks('video');
    await changed;
    expect(element.tracks).to.have.length(1);
  });

  it('warns once of values that make no sense, and never throws', async () => {
    const warnings = await warningsOf(async () => {
      const element = await mount({ src: 'front', latency: 'fast', muted: 'false' });
      element.setAttribute('latency', '-3');
      element.setAttribute('latency', 'fast');
      element.volume = Number.NaN;
      element.label = 'again';
      await settled(element);
      // What says it is loaded when there is something to say.
      await import('../../../client/element/attribute-warnings.js');
      await settled(element);
      expect(element.latency).to.equal('balanced');
      expect(element.muted).to.equal(true);
      expect(element.volume).to.equal(1);
    });
    expect(warnings).to.have.length(4);
    expect(warnings.filter((text) => text.includes('(got "fast")'))).to.have.length(1);
    expect(warnings.filter((text) => text.includes('muted="false"'))).to.have.length(1);
  });

  it('changes latency while it plays', async () => {
    const element = await mount({ src: 'front', autoplay: '', latency: '200' });
    expect(player().options.latency).to.equal(200);
    element.latency = 'smooth';
    expect(player().latency).to.equal('smooth');
    element.removeAttribute('latency');
    expect(player().latency).to.equal('balanced');
  });
});

describe('<rtsp-player> and the autoplay policy', () => {
  it('goes on muted when the browser refuses sound', async () => {
    FakePlayer.refusals = [notAllowed()];
    const element = await mount({ src: 'front', autoplay: '' });
    const seen = record(element, 'pause', 'error');
    expect(element.muted).to.equal(true);
    expect(element.defaultMuted).to.equal(false);
    expect(player().calls).to.deep.equal(['start', 'play', 'muted=true', 'play']);
    expect(element.paused).to.equal(false);
    expect(seen).to.deep.equal([]);
  });

  it('is paused when even silence is refused', async () => {
    FakePlayer.refusals = [notAllowed(), notAllowed()];
    const element = await mount({ src: 'front', autoplay: '' });
    expect(element.paused).to.equal(true);
    expect(element.state).to.equal('paused');
  });

  it('hears from the player that sound was refused later', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    const seen = record(element, 'volumechange');
    player().muted = true;
    player().handlers.onMutedByBrowser?.();
    expect(element.muted).to.equal(true);
    expect(seen).to.have.length(1);
  });

  it('rejects a refused play() as a media element does, without muting', async () => {
    FakePlayer.refusals = [notAllowed()];
    const element = await mount({ src: 'front' });
    const seen = record(element, 'play', 'pause');
    expect((await reasonOf(element.play())).name).to.equal('NotAllowedError');
    expect(element.muted).to.equal(false);
    expect(seen).to.deep.equal(['play', 'pause']);
  });
});

describe('<rtsp-player> in and out of the page', () => {
  it('keeps its connection when it is moved within a task', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    await player().showPicture();
    const seen = record(element, 'emptied', 'pause', 'statechange');
    const shelf = document.createElement('div');
    document.body.append(shelf);
    shelf.append(element);
    await settled(element);
    expect(seen).to.deep.equal([]);
    expect(player().calls).to.not.include('close');
    shelf.remove();
  });

  it('closes when it leaves, keeps its picture, and connects again when it comes back', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    await player().showPicture();
    const seen = record(element, 'pause', 'play', 'statechange');
    element.remove();
    await Promise.resolve();
    expect(player().calls.at(-1)).to.equal('close');
    expect(element.paused).to.equal(true);
    document.body.append(element);
    await settled(element);
    expect(FakePlayer.made).to.have.length(2);
    expect(seen).to.deep.equal(['statechange:idle', 'pause', 'play', 'statechange:connecting']);
    const still = element.shadowRoot?.querySelector('canvas');
    expect(still?.hidden).to.equal(false);
    expect(still?.width).to.equal(320);
    await player().showPicture();
    await settled(element);
    expect(still?.hidden).to.equal(true);
  });

  it('stays paused when it was paused as it left', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    element.pause();
    element.remove();
    await Promise.resolve();
    document.body.append(element);
    await settled(element);
    expect(FakePlayer.made).to.have.length(1);
  });

  it('plays once it is in the page when play() came before', async () => {
    const element = document.createElement('rtsp-player');
    element.src = 'front';
    const playing = element.play();
    expect(FakePlayer.made).to.have.length(0);
    document.body.append(element);
    await playing;
    expect(player().calls).to.deep.equal(['start', 'play']);
  });

  it('settles a play() that was overtaken before it was in the page', async () => {
    const element = document.createElement('rtsp-player');
    element.src = 'front';
    const first = reasonOf(element.play());
    element.pause();
    expect((await first).name).to.equal('AbortError');
    const second = reasonOf(element.play());
    element.load();
    expect((await second).name).to.equal('AbortError');
  });

  it('closes its player when src changes outside', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    element.remove();
    element.src = 'back';
    await Promise.resolve();
    document.body.append(element);
    await settled(element);
    expect(player().options.source.url).to.equal('rtsp://back/');
    expect(FakePlayer.made).to.have.length(2);
  });
});

describe('<rtsp-player> when another video takes over', () => {
  it('listens to the one that is showing', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    await player().showPicture();
    const former = player().video;
    await player().exchangeVideo();
    expect(element.video).to.equal(player().video);
    const seen = record(element, 'progress');
    former.dispatchEvent(new Event('progress'));
    expect(seen).to.have.length(0);
    player().video.dispatchEvent(new Event('progress'));
    expect(seen).to.have.length(1);
  });

  it('carries frame callbacks over, and calls each once', async () => {
    const element = await mount({ src: 'front' });
    let calls = 0;
    const cancelled = element.requestVideoFrameCallback(() => calls++);
    const shown = new Promise<VideoFrameCallbackMetadata>((resolve) =>
      element.requestVideoFrameCallback((_now, metadata) => resolve(metadata)),
    );
    element.cancelVideoFrameCallback(cancelled);
    await element.play();
    await player().exchangeVideo();
    expect((await shown).width).to.equal(320);
    expect(calls).to.equal(0);
  });

  it('says resize when the next picture has another size', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    await player().showPicture();
    const seen = record(element, 'resize');
    const other = document.createElement('canvas');
    const context = other.getContext('2d');
    const timer = setInterval(() => context?.fillRect(0, 0, 8, 8), 40);
    await player().exchangeVideo(other);
    clearInterval(timer);
    expect(seen).to.deep.equal(['resize']);
    expect(element.videoWidth).to.equal(300);
  });
});

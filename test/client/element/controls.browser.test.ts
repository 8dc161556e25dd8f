import { ReactiveElement } from '@lit/reactive-element';
import { expect } from '@open-wc/testing';
import { ControlsVisibility } from '../../../client/element/controls-visibility.js';
import type { RtspPlayerElement } from '../../../client/element/rtsp-player-element.js';
import type { Clock } from '../../../shared/clock.js';
import { clearPage, defineWithFakePlayer, mount, notAllowed, part, player, settled, shadow } from './fake-camera.js';
import { FakePlayer } from './fake-player.js';

defineWithFakePlayer();
afterEach(clearPage);

async function playing(attributes: Record<string, string> = {}): Promise<RtspPlayerElement> {
  const element = await mount({ src: 'front', autoplay: '', controls: '', label: 'Front door', ...attributes });
  await player().showPicture();
  await settled(element);
  return element;
}

/** Presses a key on an element inside, as a person would; returns whether the player took it. */
async function press(element: RtspPlayerElement, key: string, init: KeyboardEventInit & { on?: string } = {}) {
  const target = shadow(element, init.on ?? '.frame');
  const event = new KeyboardEvent('keydown', { key, bubbles: true, composed: true, cancelable: true, ...init });
  target?.dispatchEvent(event);
  await settled(element);
  return event.defaultPrevented;
}

async function click(element: RtspPlayerElement, name: string): Promise<void> {
  part(element, name).click();
  await settled(element);
}

const nameOf = (element: RtspPlayerElement, name: string) => part(element, name).getAttribute('aria-label');
const textOf = (element: RtspPlayerElement, selector: string) => shadow(element, selector)?.textContent?.trim();

describe('The control bar', () => {
  it('is there only with controls', async () => {
    const element = await playing();
    expect(shadow(element, '.bar')).to.not.equal(null);
    element.controls = false;
    await settled(element);
    expect(shadow(element, '.bar')).to.equal(null);
    expect(await press(element, 'm')).to.equal(false);
    expect(element.muted).to.equal(false);
  });

  it('pauses and plays', async () => {
    const element = await playing();
    expect(nameOf(element, 'play-button')).to.equal('Pause');
    await click(element, 'play-button');
    expect(element.paused).to.equal(true);
    expect(nameOf(element, 'play-button')).to.equal('Play');
    await click(element, 'big-play-button');
    expect(element.paused).to.equal(false);
    expect(shadow(element, '.big-play')).to.equal(null);
  });

  it('mutes, and unmutes to where the volume was', async () => {
    const element = await playing();
    element.volume = 0.7;
    await click(element, 'mute-button');
    expect(element.muted).to.equal(true);
    expect(nameOf(element, 'mute-button')).to.equal('Unmute');
    const slider = part(element, 'volume-slider') as HTMLInputElement;
    expect(slider.value).to.equal('0');
    await click(element, 'mute-button');
    expect(element.volume).to.equal(0.7);
    expect(slider.value).to.equal('70');
    expect(slider.getAttribute('aria-valuetext')).to.equal('70 percent');
  });

  it('sets the volume; all the way down is mute', async () => {
    const element = await playing();
    const slider = part(element, 'volume-slider') as HTMLInputElement;
    const slide = async (value: string) => {
      slider.value = value;
      slider.dispatchEvent(new Event('input'));
      await settled(element);
    };
    await slide('40');
    expect(element.volume).to.equal(0.4);
    await slide('0');
    expect([element.volume, element.muted]).to.deep.equal([0.4, true]);
    await slide('10');
    expect([element.volume, element.muted]).to.deep.equal([0.1, false]);
  });

  it('makes a volume of nothing audible when it is unmuted', async () => {
    const element = await playing();
    element.volume = 0;
    await settled(element);
    await click(element, 'mute-button');
    expect(element.volume).to.equal(0.5);
    expect(element.muted).to.equal(false);
  });

  it('has no volume for a camera without sound', async () => {
    const element = await playing();
    player().setTracks('video');
    await settled(element);
    expect(shadow(element, '.volume')).to.equal(null);
  });

  it('shows whether the picture is live, and makes it so', async () => {
    const element = await playing();
    expect(nameOf(element, 'live-button')).to.equal('Live');
    player().isAtLiveEdge = false;
    player().video.dispatchEvent(new Event('timeupdate'));
    await settled(element);
    expect(nameOf(element, 'live-button')).to.equal('Jump to live');
    await click(element, 'live-button');
    expect(player().calls.at(-1)).to.equal('seekToLive');
  });

  it('leaves picture in picture out when the page wants it so', async () => {
    const element = await playing();
    const had = shadow(element, '.pip') !== null;
    expect(had).to.equal(document.pictureInPictureEnabled);
    element.disablePictureInPicture = true;
    await settled(element);
    expect(shadow(element, '.pip')).to.equal(null);
    expect(player().video.disablePictureInPicture).to.equal(true);
  });

  it('is big enough to hit', async () => {
    for (const width of [150, 200, 320, 900]) {
      const element = await playing();
      element.style.width = `${width}px`;
      await settled(element);
      for (const button of element.shadowRoot?.querySelectorAll('button') ?? []) {
        const { width: across, height } = button.getBoundingClientRect();
        if (across > 0) expect(Math.min(across, height), `${button.className} at ${width}`).to.be.at.least(32);
      }
      const bar = part(element, 'controls');
      expect(bar.scrollWidth, `the bar at ${width}`).to.be.at.most(bar.clientWidth);
      element.remove();
    }
  });
});

describe('The keyboard', () => {
  it('plays and pauses with k and the space bar', async () => {
    const element = await playing();
    expect(await press(element, 'k')).to.equal(true);
    expect(element.paused).to.equal(true);
    expect(await press(element, ' ')).to.equal(true);
    expect(element.paused).to.equal(false);
  });

  it('leaves the space bar to a button that has the focus', async () => {
    const element = await playing();
    expect(await press(element, ' ', { on: '.mute' })).to.equal(false);
    expect(await press(element, 'K', { on: '.mute' })).to.equal(true);
  });

  it('leaves the arrows to the slider, and keys with a modifier to the browser', async () => {
    const element = await playing();
    expect(await press(element, 'ArrowUp', { on: 'input' })).to.equal(false);
    expect(await press(element, 'f', { ctrlKey: true })).to.equal(false);
    expect(await press(element, 'ArrowLeft')).to.equal(false);
  });

  it("leaves what is typed into the page's own fields alone", async () => {
    const element = await playing();
    const field = document.createElement('input');
    field.slot = 'overlay';
    element.append(field);
    const event = new KeyboardEvent('keydown', { key: 'm', bubbles: true, composed: true, cancelable: true });
    field.dispatchEvent(event);
    expect(event.defaultPrevented).to.equal(false);
    expect(element.muted).to.equal(false);
  });

  it('mutes with m, and changes the volume with the arrows', async () => {
    const element = await playing();
    await press(element, 'm');
    expect(element.muted).to.equal(true);
    await press(element, 'ArrowUp');
    expect([element.volume, element.muted]).to.deep.equal([0.05, false]);
    await press(element, 'ArrowUp', { repeat: true });
    expect(element.volume).to.equal(0.1);
    element.volume = 1;
    await press(element, 'ArrowUp');
    expect(element.volume).to.equal(1);
    await press(element, 'ArrowDown');
    expect(element.volume).to.be.closeTo(0.95, 1e-9);
    await press(element, 'm', { repeat: true });
    expect(element.muted).to.equal(false);
  });

  it('goes live with l', async () => {
    const element = await playing();
    await press(element, 'l');
    expect(player().calls.at(-1)).to.equal('seekToLive');
  });

  it('asks for full screen with f', async () => {
    const element = await playing();
    let asked = 0;
    element.requestFullscreen = () => Promise.resolve(void asked++);
    expect(await press(element, 'f')).to.equal(true);
    expect(asked).to.equal(document.fullscreenEnabled ? 1 : 0);
  });
});

describe('What is said over the picture', () => {
  it('says that it connects', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    expect(textOf(element, '.overlay')).to.equal('Connecting…');
    await player().showPicture();
    await settled(element);
    expect(textOf(element, '.overlay')).to.equal('');
  });

  it('says in plain words what failed, and tries again when asked', async () => {
    const element = await playing();
    player().fail('camera-unreachable', 'The camera front did not answer within 10 s.');
    await settled(element);
    expect(textOf(element, '.panel .title')).to.equal('The camera does not answer');
    expect(textOf(element, '.detail')).to.equal('The camera front did not answer within 10 s.');
    await click(element, 'retry-button');
    expect(element.state).to.equal('connecting');
    expect(shadow(element, '.panel')).to.equal(null);
    expect(shadow(element, 'canvas')?.hidden).to.equal(false);
  });

  it('offers no second try where it cannot help', async () => {
    const element = await mount({ src: 'Front Door' });
    expect(textOf(element, '.panel .title')).to.equal('This player is not set up correctly');
    expect(shadow(element, '.wide')).to.equal(null);
  });

  it('shows text, not markup, of an error', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    player().fail('server-error', '<img src=x onerror=alert(1)>');
    await settled(element);
    expect(textOf(element, '.detail')).to.equal('<img src=x onerror=alert(1)>');
    expect(shadow(element, '.detail img')).to.equal(null);
  });

  it('keeps the picture and says that it reconnects', async () => {
    const element = await playing();
    player().interrupt('no-data', 'Nothing came for 3 s.');
    await settled(element);
    expect(textOf(element, '.pill .title')).to.equal('Reconnecting…');
    expect(element.video?.readyState).to.be.at.least(2);
    expect(textOf(element, '[role=status]')).to.equal('Front door: Connection lost. Reconnecting.');
    player().enter('playing');
    await settled(element);
    expect(shadow(element, '.pill')).to.equal(null);
    expect(textOf(element, '[role=status]')).to.equal('Front door: Playing again.');
  });

  it('is quiet to a screen reader while nothing is the matter', async () => {
    const element = await playing();
    expect(textOf(element, '[role=status]')).to.equal('');
  });

  it('offers sound when the browser refused to start with it', async () => {
    FakePlayer.refusals = [notAllowed()];
    const element = await playing();
    expect(textOf(element, '.unmute')).to.equal('Tap to unmute');
    expect(textOf(element, '[role=status]')).to.equal('Front door: Playing without sound.');
    await click(element, 'unmute-button');
    expect(element.muted).to.equal(false);
    expect(player().muted).to.equal(false);
    expect(shadow(element, '.unmute')).to.equal(null);
  });

  it('offers no sound that the camera does not have', async () => {
    FakePlayer.refusals = [notAllowed()];
    const element = await playing();
    player().setTracks('video');
    await settled(element);
    expect(shadow(element, '.unmute')).to.equal(null);
  });

  it('says that there is only sound', async () => {
    const element = await mount({ src: 'front', autoplay: '' });
    player().setTracks('audio');
    player().enter('playing');
    await settled(element);
    expect(textOf(element, '.overlay')).to.equal('Sound only');
  });

  it('shows a poster until there is a picture', async () => {
    const element = await mount({ src: 'front', poster: 'data:image/gif;base64,R0lGODlhAQABAAAAACw=' });
    expect(shadow(element, '.poster')).to.not.equal(null);
    await element.play();
    await player().showPicture();
    await settled(element);
    expect(shadow(element, '.poster')).to.equal(null);
  });

  it('turns a ring while the next picture is late', async () => {
    const element = await playing();
    player().video.dispatchEvent(new Event('waiting'));
    await settled(element);
    expect(shadow(element, '.late .spinner')).to.not.equal(null);
    player().video.dispatchEvent(new Event('playing'));
    await settled(element);
    expect(shadow(element, '.late')).to.equal(null);
  });
});

describe('Accessibility', () => {
  const states: [title: string, bring: (element: RtspPlayerElement) => Promise<void> | void][] = [
    ['connecting', () => {}],
    ['playing', () => player().showPicture()],
    [
      'paused',
      async (element) => {
        await player().showPicture();
        element.pause();
      },
    ],
    [
      'reconnecting',
      async () => {
        await player().showPicture();
        player().interrupt('no-data', 'Nothing came for 3 s.');
      },
    ],
    ['error', () => player().fail('unauthorized', 'The camera wants a password.')],
    ['ended', () => player().enter('ended')],
  ];
  for (const [title, bring] of states) {
    it(`is given while ${title}`, async function () {
      this.timeout(20_000);
      const element = await mount({ src: 'front', autoplay: '', controls: '', label: 'Front door' });
      await bring(element);
      await settled(element);
      await expect(element).to.be.accessible();
    });
  }

  it('is given before the first play', async function () {
    this.timeout(20_000);
    const element = await mount({ src: 'front', controls: '' });
    await expect(element).to.be.accessible();
  });
});

describe('Stored media', () => {
  async function stored(): Promise<RtspPlayerElement> {
    const element = await playing();
    const { video } = player();
    // What the browser says of a file: 3,725 seconds, of which 65 were played.
    Object.defineProperty(video, 'duration', { value: 3_725 });
    Object.defineProperty(video, 'seekable', { value: { length: 1, start: () => 0, end: () => 3_725 } });
    Object.defineProperty(video, 'currentTime', { value: 65, writable: true });
    player().isStored = true;
    video.dispatchEvent(new Event('durationchange'));
    await settled(element);
    return element;
  }

  it('show how far they are', async () => {
    const element = await stored();
    expect(textOf(element, '.time')).to.equal('1:05 / 1:02:05');
    const slider = shadow(element, '.seek input') as HTMLInputElement;
    expect([slider.valueAsNumber, slider.max]).to.deep.equal([65, '3725']);
    expect(slider.getAttribute('aria-valuetext')).to.equal('1:05 of 1:02:05');
    expect(shadow(element, '.live')).to.equal(null);
  });

  it('are sought in with the slider and with the arrows', async () => {
    const element = await stored();
    const slider = shadow(element, '.seek input') as HTMLInputElement;
    slider.value = '1000';
    slider.dispatchEvent(new Event('input'));
    expect(player().calls.at(-1)).to.equal('seek=1000');
    expect(await press(element, 'ArrowRight')).to.equal(true);
    expect(player().calls.at(-1)).to.equal('seek=70');
    await press(element, 'ArrowLeft', { repeat: true });
    expect(player().calls.at(-1)).to.equal('seek=60');
  });

  it('are played at another pace, within reason', async () => {
    const element = await stored();
    element.playbackRate = 4;
    expect(player().playbackRate).to.equal(4);
    element.playbackRate = -2;
    for (const rate of [0, 100, -100, Number.NaN]) element.playbackRate = rate;
    expect(element.playbackRate).to.equal(-2);
    let changes = 0;
    element.addEventListener('ratechange', () => changes++);
    player().handlers.onRateChange?.();
    expect(changes).to.equal(1);
  });
});

describe('ControlsVisibility', () => {
  class Host extends ReactiveElement {}
  customElements.define('visibility-host', Host);

  function create() {
    let due: (() => void) | null = null;
    const clock: Clock = {
      now: () => 0,
      utc: () => 0,
      schedule(_delayMs, callback) {
        due = callback;
        return () => {
          if (due === callback) due = null;
        };
      },
    };
    const host = document.createElement('visibility-host') as Host;
    document.body.append(host);
    const visibility = new ControlsVisibility(host, clock);
    const point = (type: string, pointerType: string, target: EventTarget = host) =>
      target.dispatchEvent(new PointerEvent(type, { pointerType, bubbles: true }));
    return { host, visibility, point, pass: () => due?.() };
  }

  it('shows while the mouse moves, and hides when it rests or leaves', () => {
    const { visibility, point, pass } = create();
    expect(visibility.isVisible).to.equal(false);
    point('pointermove', 'mouse');
    expect(visibility.isVisible).to.equal(true);
    pass();
    expect(visibility.isVisible).to.equal(false);
    point('pointermove', 'mouse');
    point('pointerleave', 'mouse');
    expect(visibility.isVisible).to.equal(false);
  });

  it('shows and hides at a tap, but stays for a tap on a control', () => {
    const { host, visibility, point } = create();
    point('pointerup', 'touch');
    point('pointerleave', 'touch');
    expect(visibility.isVisible).to.equal(true);
    const button = host.appendChild(document.createElement('button'));
    point('pointerup', 'touch', button);
    expect(visibility.isVisible).to.equal(true);
    point('pointerup', 'touch');
    expect(visibility.isVisible).to.equal(false);
  });

  it("stays while the keyboard's focus is inside", () => {
    const { host, visibility, pass } = create();
    const field = host.renderRoot.appendChild(document.createElement('input'));
    field.focus();
    pass();
    expect(visibility.isVisible).to.equal(true);
    field.blur();
    expect(visibility.isVisible).to.equal(false);
  });
});

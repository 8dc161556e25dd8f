import { expect } from '@open-wc/testing';
import { Player, type PlayerOptions, type PlayerState } from '../../../client/player/player.js';
import { StreamError } from '../../../shared/errors.js';

// The player's promises and states where no camera answers; what it shows is tested end to end.

interface Fixture {
  player: Player;
  container: HTMLElement;
  states: PlayerState[];
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A server that refuses at once: nothing listens on this port. */
const REFUSING = 'ws://127.0.0.1:9/rtsp/front';

function makePlayer(source: Partial<PlayerOptions['source']> = {}): Fixture {
  const container = document.createElement('div');
  document.body.append(container);
  const states: PlayerState[] = [];
  const player = new Player(
    {
      source: { url: 'rtsp://front/', webSocketUrl: REFUSING, credentials: null, ...source },
      container,
      latency: 'low',
      muted: true,
      volume: 1,
    },
    {
      onStateChange: (state) => states.push(state),
      onVideoChange: () => undefined,
      onTracksChange: () => undefined,
      onWarning: () => undefined,
    },
  );
  cleanups.push(async () => {
    await player.close();
    container.remove();
  });
  return { player, container, states };
}

const settle = (promise: Promise<void>) =>
  promise.then(
    () => 'fulfilled',
    (thrown: unknown) => thrown,
  );

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('Not within 5 s.');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('Player', () => {
  it('an address that cannot be used: error, and play() rejects with the reason', async () => {
    const { player, states } = makePlayer({ url: 'http://front/' });
    const reason = await settle(player.play());
    expect(reason).to.be.instanceOf(StreamError);
    expect((reason as StreamError).code).to.equal('invalid-url');
    expect(player.error).to.equal(reason);
    expect(states).to.deep.equal(['connecting', 'error']);
    // And so again, for as often as it is asked.
    expect(await settle(player.play())).to.be.instanceOf(StreamError);
  });

  it('nobody there: reconnecting, again and again, until close(), which settles play()', async () => {
    const { player, states, container } = makePlayer();
    const played = settle(player.play());
    await until(() => player.getStats().reconnects >= 2);
    expect(states).to.deep.equal(['connecting', 'reconnecting']);
    expect(player.error?.retry).to.equal('back-off');
    await player.close();
    expect((await played) as DOMException).to.have.property('name', 'AbortError');
    expect(player.state).to.equal('idle');
    expect(container.children).to.have.length(0);
    const { reconnects } = player.getStats();
    globalThis.dispatchEvent(new Event('online'));
    document.dispatchEvent(new Event('visibilitychange'));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(player.getStats().reconnects).to.equal(reconnects);
  });

  it('pause() while it reconnects stops trying; play() begins anew', async () => {
    const { player, states } = makePlayer();
    const played = settle(player.play());
    await until(() => player.state === 'reconnecting');
    player.pause();
    expect((await played) as DOMException).to.have.property('name', 'AbortError');
    const { reconnects } = player.getStats();
    globalThis.dispatchEvent(new Event('online'));
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(player.getStats().reconnects).to.equal(reconnects);
    void settle(player.play());
    await until(() => player.getStats().reconnects > reconnects + 1);
    expect(states).to.deep.equal(['connecting', 'reconnecting', 'paused', 'connecting', 'reconnecting']);
  });

  it('close() twice, before anything, and whatever is called after it', async () => {
    const { player, states, container } = makePlayer();
    await Promise.all([player.close(), player.close()]);
    expect((await settle(player.play())) as DOMException).to.have.property('name', 'AbortError');
    player.start();
    player.pause();
    player.seekToLive();
    player.muted = false;
    player.latency = 'smooth';
    player.volume = 0.5;
    expect(player.isAtLiveEdge).to.equal(false);
    expect(player.currentDate).to.equal(null);
    expect(player.tracks).to.deep.equal([]);
    expect(container.children).to.have.length(0);
    expect(states).to.deep.equal([]);
  });

  it('the network coming back makes the planned attempt at once', async () => {
    const { player } = makePlayer();
    void settle(player.play());
    await until(() => player.state === 'reconnecting');
    const { reconnects } = player.getStats();
    globalThis.dispatchEvent(new Event('online'));
    expect(player.getStats().reconnects).to.equal(reconnects + 1);
  });
});

import type { Player, PlayerState } from '../player/player.js';

export type { PlayerState };
export type PlayerOptions = ConstructorParameters<typeof Player>[0];
export type PlayerHandlers = ConstructorParameters<typeof Player>[1];
export type PlayerSource = PlayerOptions['source'];
export type Latency = PlayerOptions['latency'];
export type PlayerStats = ReturnType<Player['getStats']>;
export type PlayerTrack = Player['tracks'][number];

/** What the element needs of a player. */
export type ElementPlayer = Pick<
  Player,
  | 'state'
  | 'error'
  | 'video'
  | 'tracks'
  | 'start'
  | 'play'
  | 'pause'
  | 'seekToLive'
  | 'seek'
  | 'seekTo'
  | 'range'
  | 'isStored'
  | 'position'
  | 'playbackRate'
  | 'close'
  | 'muted'
  | 'volume'
  | 'latency'
  | 'isAtLiveEdge'
  | 'getStats'
  | 'currentDate'
>;

/** Makes the player of an element: the real one in the package's entry, a stand-in in tests. */
export type PlayerFactory = (options: PlayerOptions, handlers: PlayerHandlers) => ElementPlayer;

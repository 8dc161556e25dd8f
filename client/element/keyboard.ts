/** What a key asks for: an action of the control bar, or a step of the volume or of the position. */
export type Command =
  | 'togglePlay'
  | 'toggleMute'
  | 'toggleFullscreen'
  | 'seekToLive'
  | 'volumeUp'
  | 'volumeDown'
  | 'seekBack'
  | 'seekForward';

const commands: ReadonlyMap<string, Command> = new Map([
  [' ', 'togglePlay'],
  ['k', 'togglePlay'],
  ['m', 'toggleMute'],
  ['ArrowUp', 'volumeUp'],
  ['ArrowDown', 'volumeDown'],
  ['f', 'toggleFullscreen'],
  ['l', 'seekToLive'],
  ['ArrowLeft', 'seekBack'],
  ['ArrowRight', 'seekForward'],
]);

/** What a key press means to the player, or null: keys that belong to the browser or to what has the focus are left alone. */
export function commandForKey(event: KeyboardEvent): Command | null {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return null;
  const [target] = event.composedPath();
  if (target instanceof HTMLElement && takesKey(target, event.key)) return null;
  return commands.get(event.key.length === 1 ? event.key.toLowerCase() : event.key) ?? null;
}

function takesKey(target: HTMLElement, key: string): boolean {
  if (target.isContentEditable || target.matches('select, textarea, input:not([type=range])')) return true;
  if (target.matches('input')) return key.startsWith('Arrow');
  return key === ' ' && target.matches('button, a[href], summary');
}

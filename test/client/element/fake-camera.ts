import { CameraElement } from '../../../client/element/camera-element.js';
import { RtspPlayerElement } from '../../../client/element/rtsp-player-element.js';
import { FakePlayer } from './fake-player.js';

/** Defines `<rtsp-player>` with a player that needs no camera. */
export function defineWithFakePlayer(): void {
  CameraElement.createPlayer = (options, handlers) => new FakePlayer(options, handlers);
  CameraElement.defaultProxy = 'ws://proxy.example/rtsp';
  customElements.define('rtsp-player', RtspPlayerElement);
}

/** An element in the page, after its first updates; the attributes are set before it enters. */
export async function mount(attributes: Record<string, string> = {}): Promise<RtspPlayerElement> {
  const element = document.createElement('rtsp-player');
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  document.body.append(element);
  await element.loadInterface();
  await settled(element);
  return element;
}

/** After every update that is due, those that updates ask for included. */
export async function settled(element: RtspPlayerElement): Promise<void> {
  await Promise.resolve();
  while (!(await element.updateComplete)) {
    // Another update was asked for meanwhile.
  }
}

export function player(index = -1): FakePlayer {
  const found = FakePlayer.made.at(index);
  if (found === undefined) throw new Error(`No player was made at ${index}.`);
  return found;
}

/** Takes every element out of the page, and forgets the players. */
export async function clearPage(): Promise<void> {
  for (const element of document.querySelectorAll('rtsp-player')) element.remove();
  await Promise.resolve();
  FakePlayer.forget();
}

/** Notes events as they come, as `type` or, for a change of state, `statechange:state`. */
export function record(element: RtspPlayerElement, ...types: string[]): string[] {
  const seen: string[] = [];
  for (const type of types) {
    element.addEventListener(type, () => seen.push(type === 'statechange' ? `statechange:${element.state}` : type));
  }
  return seen;
}

export function shadow(element: RtspPlayerElement, selector: string): HTMLElement | null {
  return element.shadowRoot?.querySelector<HTMLElement>(selector) ?? null;
}

export function part(element: RtspPlayerElement, name: string): HTMLElement {
  const found = shadow(element, `[part~="${name}"]`);
  if (found === null) throw new Error(`There is no part "${name}".`);
  return found;
}

export const notAllowed = (): DOMException => new DOMException('A gesture is wanted.', 'NotAllowedError');

/** The console's warnings while `body` runs. */
export async function warningsOf(body: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (...words: unknown[]) => warnings.push(String(words[0]));
  try {
    await body();
  } finally {
    console.warn = warn;
  }
  return warnings;
}

import type { ReactiveController, ReactiveControllerHost } from '@lit/reactive-element';
import { type Clock, systemClock } from '../../shared/clock.js';

/** Milliseconds without the pointer moving, after which the controls get out of the picture. */
const IDLE_MS = 2_500;

/**
 * Whether somebody is about to use the controls: the pointer moves over the player, a tap asked for them, or the
 * keyboard's focus is inside.
 */
export class ControlsVisibility implements ReactiveController {
  readonly #host: ReactiveControllerHost & HTMLElement;
  readonly #clock: Clock;
  #isAwake = false;
  #hasFocus = false;
  #cancelTimer: (() => void) | null = null;

  constructor(host: ReactiveControllerHost & HTMLElement, clock: Clock = systemClock) {
    this.#host = host;
    this.#clock = clock;
    host.addController(this);
    host.addEventListener('pointermove', (event) => {
      if (event.pointerType !== 'touch') this.wake();
    });
    host.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.sleep();
    });
    // A tap on the picture shows and hides; a tap on a control, which is there to be seen only while awake, prolongs.
    host.addEventListener('pointerup', (event) => {
      if (event.pointerType !== 'touch') return;
      if (this.#isAwake && !isControl(event)) this.sleep();
      else this.wake();
    });
    host.addEventListener('keydown', () => this.wake());
    host.addEventListener('focusin', (event) => {
      const [target] = event.composedPath();
      this.#hasFocus = target instanceof HTMLElement && target.matches(':focus-visible');
      host.requestUpdate();
    });
    host.addEventListener('focusout', () => {
      this.#hasFocus = false;
      host.requestUpdate();
    });
  }

  get isVisible(): boolean {
    return this.#isAwake || this.#hasFocus;
  }

  wake(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.schedule(IDLE_MS, () => this.sleep());
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#host.requestUpdate();
  }

  sleep(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (!this.#isAwake) return;
    this.#isAwake = false;
    this.#host.requestUpdate();
  }

  hostDisconnected(): void {
    this.sleep();
    this.#hasFocus = false;
  }
}

function isControl(event: Event): boolean {
  return event.composedPath().some((target) => target instanceof HTMLElement && target.matches('button, input'));
}

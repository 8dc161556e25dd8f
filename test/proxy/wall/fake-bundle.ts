import { defineWithFakePlayer } from '../../client/element/fake-camera.js';
import { FakePlayer } from '../../client/element/fake-player.js';

/** What the wall's test serves as the element's file: the real element, and players that need no camera. */
defineWithFakePlayer();
Object.assign(globalThis, { FakePlayer });

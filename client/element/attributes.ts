import type { ComplexAttributeConverter } from '@lit/reactive-element';
import type { Latency } from './player-factory.js';

/**
 * The element's attributes, read as HTML reads them: a value that makes no sense is said once on the console and
 * replaced by the default; nothing throws.
 */

export const DEFAULT_LATENCY: Latency = 'balanced';

/** Milliseconds; beyond it, what a browser buffers of a live stream is thrown away before it is shown. */
const MAX_LATENCY_MS = 30_000;

/** `low`, `balanced`, `smooth`, or whole or fractional milliseconds from 0 to 30,000; null when it is none of these. */
export function parseLatency(value: unknown): Latency | null {
  const text = String(value).trim().toLowerCase();
  if (text === 'low' || text === 'balanced' || text === 'smooth') return text;
  if (text === '') return null;
  const milliseconds = Number(text);
  return milliseconds >= 0 && milliseconds <= MAX_LATENCY_MS ? milliseconds : null;
}

/** A volume from 0 to 1; values outside are moved to the nearer end, null when it is not a number. */
export function parseVolume(value: unknown): number | null {
  const volume = Number(value);
  return Number.isNaN(volume) ? null : Math.min(1, Math.max(0, volume));
}

/** A number in the attribute stays text until `parseLatency` has looked at it. */
export const latencyConverter: ComplexAttributeConverter = {
  fromAttribute: (value) => value ?? DEFAULT_LATENCY,
  toAttribute: String,
};

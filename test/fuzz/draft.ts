import type { Step } from './fuzz-case.js';
import type { WireUnit } from './wire-units.js';

/** A step whose bytes are in pieces, for as long as mutations go on. */
export interface Draft {
  afterMs: number;
  action: Step['action'];
  units: WireUnit[];
}

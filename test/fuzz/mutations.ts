import { garbled } from './byte-mutations.js';
import type { Conversation } from './conversations.js';
import { changeDescription } from './description-mutations.js';
import type { Draft } from './draft.js';
import { actions, ends, type FuzzCase, modes, type Step } from './fuzz-case.js';
import { changeHeaders, insertMessage, renumber } from './message-mutations.js';
import { changeMedia, changePacket } from './packet-mutations.js';
import type { Random } from './random.js';
import { joinWire, splitWire } from './wire-units.js';

/** A conversation in which nothing is wrong → a case in which something is. */

/** Bytes that a case grows to at most. */
const MAX_CASE_BYTES = 400_000;
const MAX_MUTATIONS = 6;

export function mutate(conversations: readonly Conversation[], random: Random): FuzzCase {
  const drafts = random.pick(conversations).steps.map(({ afterMs, action, bytes }) => ({
    afterMs,
    action,
    units: splitWire(bytes),
  }));
  for (let left = random.few(MAX_MUTATIONS); left > 0; left--) mutateOnce(drafts, conversations, random);
  if (random.chance(0.8)) renumber(drafts);
  const steps = drafts.map(({ afterMs, action, units }) => ({ afterMs, action, bytes: joinWire(units) }));
  return { mode: random.pick(modes), end: random.pick(ends), steps: bounded(steps) };
}

function bounded(steps: readonly Step[]): Step[] {
  let left = MAX_CASE_BYTES;
  return steps.map((step) => {
    const bytes = step.bytes.subarray(0, left);
    left -= bytes.length;
    return { ...step, bytes };
  });
}

function mutateOnce(drafts: Draft[], conversations: readonly Conversation[], random: Random): void {
  const messages = drafts.filter(({ units }) => units.some(({ kind }) => kind === 'message'));
  const media = drafts.filter(({ units }) => units.some(({ kind }) => kind === 'frame'));
  const choice = random.below(100);
  if (choice < 10 && messages.length > 0) changeHeaders(random.pick(messages), random);
  else if (choice < 25 && messages.length > 0) changeDescription(messages, random);
  else if (choice < 32) insertMessage(drafts, random);
  else if (choice < 60 && media.length > 0) changePacket(random.pick(media), conversations, random);
  else if (choice < 66 && media.length > 0) changeMedia(media, random);
  else if (choice < 75) changeOrder(random.pick(drafts), random);
  else if (choice < 82) changeSteps(drafts, random);
  else changeBytes(random.pick(drafts), random);
}

function changeBytes(draft: Draft, random: Random): void {
  const index = random.below(draft.units.length);
  const unit = draft.units[index];
  if (unit !== undefined) draft.units[index] = { ...unit, bytes: garbled(unit.bytes, random) };
}

/** The order of messages and frames. */
function changeOrder({ units }: Draft, random: Random): void {
  if (units.length === 0) return;
  const at = random.below(units.length);
  const other = random.below(units.length);
  const count = Math.min(units.length - at, random.few(8));
  switch (random.below(6)) {
    case 0:
      units.splice(at, count);
      break;
    case 1: {
      const times = random.chance(0.1) ? random.few(300) : random.few(5);
      const copies = Array.from({ length: times }, () => units.slice(at, at + count)).flat();
      units.splice(at, 0, ...copies);
      break;
    }
    case 2:
      units.splice(other, 0, ...units.splice(at, count));
      break;
    case 3:
      units.splice(at, count, ...units.slice(at, at + count).reverse());
      break;
    case 4:
      // What of a frame is lost is lost in the middle of it.
      for (let index = units.length - 1; index >= 0; index--) if (random.chance(0.3)) units.splice(index, 1);
      break;
    default:
      units.splice(at, 0, { kind: 'junk', bytes: random.bytes(random.few(3_000)) });
  }
}

const waits = [0, 1, 40, 500, 2_600, 3_500, 11_000, 31_000, 65_000, 3_600_000];

/** The order of steps, and what the application does. */
function changeSteps(drafts: Draft[], random: Random): void {
  const at = random.below(drafts.length);
  const draft = drafts[at];
  if (draft === undefined) return;
  switch (random.below(6)) {
    case 0:
      drafts.splice(at, 1);
      if (drafts.length === 0) drafts.push(draft);
      break;
    case 1:
      drafts.splice(at, 0, { ...draft, units: [...draft.units] });
      break;
    case 2:
      drafts.splice(random.below(drafts.length), 0, ...drafts.splice(at, 1));
      break;
    case 3:
      draft.afterMs = random.pick(waits);
      break;
    default:
      // The application has its say.
      draft.action = random.pick(actions);
  }
}

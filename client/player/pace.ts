/**
 * How many times as fast as it was taken stored media is to be shown → what the server is asked for. A server keeps the pace
 * itself (Scale: RFC 2326, 12.34), or, as ONVIF recorders can (Streaming Specification, 6.5: Rate-Control, Frames), sends a
 * piece as fast as the network takes it, which the browser then shows at any pace.
 */
export interface Pace {
  /** As the page wants it; negative: backwards. Never 0. */
  readonly rate: number;
  /** Seconds of the media to be asked for at a time, without rate control; null: all of it, at the server's pace. */
  readonly piece: number | null;
  /** Value of the Frames header; null: every frame. */
  readonly frames: string | null;
}

export const USUAL_PACE: Pace = { rate: 1, piece: null, frames: null };

/** What a piece holds, in seconds of its showing. */
const PIECE_S = 5;
/** Above this, decoding every frame is more than browsers manage. */
const MAX_RATE_OF_ALL_FRAMES = 4;
/** Of pictures that are shown alone, this many in a second of showing are enough. */
const PICTURES_A_SECOND = 8;

/** @param isReplay - the server is a recorder that speaks ONVIF's replay */
export function paceOf(rate: number, isReplay: boolean): Pace {
  if (!isReplay || rate === 1) return { ...USUAL_PACE, rate };
  const speed = Math.abs(rate);
  const piece = PIECE_S * Math.max(1, speed);
  if (speed > MAX_RATE_OF_ALL_FRAMES) {
    // The least time between two of them, in milliseconds of the media.
    return { rate, piece, frames: `intra/${Math.round((1_000 * speed) / PICTURES_A_SECOND)}` };
  }
  return { rate, piece, frames: rate < 0 ? 'intra' : null };
}

/** Whether pictures are shown that need no other, and no sound. */
export function showsKeyFramesAlone({ rate, frames }: Pace): boolean {
  return rate < 0 || frames !== null;
}

/** The headers of a PLAY that asks for it, beside Range. */
export function paceHeaders({ rate, piece, frames }: Pace): [name: string, value: string][] {
  const isUnpaced = piece !== null;
  const headers: [string, string][] = [['Scale', formatScale(isUnpaced ? Math.sign(rate) : rate)]];
  if (isUnpaced) headers.push(['Rate-Control', 'no']);
  if (frames !== null) headers.push(['Frames', frames]);
  return headers;
}

/** Some servers want the decimal point. */
function formatScale(scale: number): string {
  const text = String(scale);
  return text.includes('.') ? text : `${text}.0`;
}

import type { Vp9Descriptor } from './vp9-descriptor.js';

/**
 * Which layers of a VP9 picture can be decoded with what has been handed over (RFC 9628, 4.2 and 4.5): by the pictures that
 * each one refers to where the packets list them (flexible mode), else by its layers.
 */

/** Pictures that are remembered: P_DIFF counts to 127, decoders keep 8; fewer than IDs of 7 bits, so that each means one. */
const MAX_REMEMBERED_PICTURES = 64;
const HIGHEST_TEMPORAL_LAYER = 7;
const NONE = -1;

/** The frame of one spatial layer, as far as it matters here. */
interface Frame {
  readonly descriptor: Vp9Descriptor;
  readonly spatial: number;
  readonly isWhole: boolean;
}

export class Vp9References {
  /** The highest spatial layer whose last picture was handed over; none: a key picture has to come. */
  #spatial = NONE;
  /** The highest temporal layer of which nothing is missing. */
  #temporal = HIGHEST_TEMPORAL_LAYER;
  /** TL0PICIDX of the newest picture of the lowest temporal layer. */
  #basePictureIndex: number | null = null;
  /** Packets were lost between the last picture and the next. */
  #isAfterLoss = false;
  /** Highest spatial layer handed over, by picture ID; the newest last. */
  readonly #pictures = new Map<number, number>();

  /** A key picture has to come. */
  reset(): void {
    this.#spatial = NONE;
    this.#pictures.clear();
    this.#isAfterLoss = false;
  }

  /** Packets are missing before what comes next, or a picture of which nothing can be used. */
  onLoss(): void {
    this.#isAfterLoss = true;
  }

  /**
   * The frames of a picture that can be decoded, lowest first; empty when none can.
   * @param frames - in the order in which they came
   * @param isCut - whether packets of the picture are missing
   */
  choose<F extends Frame>(frames: readonly F[], isCut: boolean, isKeyPicture: boolean): F[] {
    const [lowest] = frames;
    if (lowest === undefined) return [];
    const { descriptor } = lowest;
    const wasAfterLoss = this.#isAfterLoss;
    this.#isAfterLoss = isCut;
    if (isKeyPicture) {
      this.#spatial = NONE;
      this.#temporal = HIGHEST_TEMPORAL_LAYER;
      this.#pictures.clear();
    } else if (wasAfterLoss && !listsReferences(descriptor)) {
      this.#judgeLoss(descriptor);
    }
    const chosen: F[] = [];
    const isDropped =
      !isKeyPicture && !listsReferences(descriptor) && (descriptor.layer?.temporal ?? 0) > this.#temporal;
    for (const frame of isDropped ? [] : frames) {
      if (!frame.isWhole || !this.#canDecode(frame, chosen.at(-1) ?? null, isKeyPicture)) break;
      chosen.push(frame);
    }
    const top = chosen.at(-1)?.spatial ?? NONE;
    // A temporal layer that others do not refer to may be left out.
    if (!isDropped && (isKeyPicture || isCut || top < (frames.at(-1)?.spatial ?? 0) || top > this.#spatial)) {
      this.#spatial = top;
    }
    this.#remember(descriptor, top);
    return chosen;
  }

  #canDecode({ descriptor, spatial }: Frame, below: Frame | null, isKeyPicture: boolean): boolean {
    const { layer, isInterPredicted, isFlexible, pictureId } = descriptor;
    if (layer?.isInterLayerPredicted && below?.spatial !== spatial - 1) return false;
    if (isKeyPicture && below === null) return true;
    if (!isInterPredicted && below !== null) return true;
    if (!isInterPredicted || !isFlexible || pictureId === null) return spatial <= this.#spatial;
    return descriptor.references.every((distance) => this.#hasPicture(pictureId, descriptor, distance, spatial));
  }

  /** Whether what was lost was of the upper temporal layers alone, by the count of pictures of the lowest. */
  #judgeLoss({ layer }: Vp9Descriptor): void {
    const last = this.#basePictureIndex;
    const index = layer?.basePictureIndex ?? null;
    const expected = last === null ? null : layer?.temporal === 0 ? (last + 1) & 0xff : last;
    if (index === null || index !== expected) this.#spatial = NONE;
    else this.#temporal = 0;
  }

  #hasPicture(pictureId: number, { maxPictureId }: Vp9Descriptor, distance: number, spatial: number): boolean {
    return (this.#pictures.get((pictureId - distance) & maxPictureId) ?? NONE) >= spatial;
  }

  #remember({ pictureId, layer }: Vp9Descriptor, top: number): void {
    if (layer?.temporal === 0 && layer.basePictureIndex !== null) this.#basePictureIndex = layer.basePictureIndex;
    if (top !== NONE && layer?.isSwitchingPoint) this.#temporal = HIGHEST_TEMPORAL_LAYER;
    if (pictureId === null) return;
    this.#pictures.delete(pictureId);
    if (top === NONE) return;
    this.#pictures.set(pictureId, top);
    if (this.#pictures.size <= MAX_REMEMBERED_PICTURES) return;
    const [oldest] = this.#pictures.keys();
    if (oldest !== undefined) this.#pictures.delete(oldest);
  }
}

function listsReferences({ isFlexible, pictureId }: Vp9Descriptor): boolean {
  return isFlexible && pictureId !== null;
}

/**
 * What a camera says of its picture: one XML document of a stream of ONVIF metadata (ONVIF Streaming Specification,
 * 5.1.2.1.1; Analytics Service Specification for what is in it).
 */
export class OnvifMetadata {
  /** The document, as the camera sent it. */
  readonly xml: string;
  /** Of the frame it belongs to: seconds on the time line of the session; of stored media, the position. */
  readonly time: number;
  /** UTC at which that frame was taken, by the camera's clock; null while unknown. */
  readonly date: Date | null;
  #document: Document | null = null;

  constructor(xml: string, time: number, date: Date | null) {
    this.xml = xml;
    this.time = time;
    this.date = date;
  }

  /** Parsed when it is first asked for. One that cannot be parsed has a `parsererror` element (DOMParser). */
  get document(): Document {
    this.#document ??= new DOMParser().parseFromString(this.xml, 'application/xml');
    return this.#document;
  }

  /** What the camera's analytics see: a list for each `tt:Frame` of the document. */
  get frames(): readonly AnalyticsFrame[] {
    return elements(this.document, 'Frame').map((frame) => ({
      date: dateOf(frame.getAttribute('UtcTime')),
      objects: elements(frame, 'Object').map((object) => objectOf(object, transformationOf(frame))),
    }));
  }
}

export interface AnalyticsFrame {
  /** UTC by the document itself; null where it does not say. */
  readonly date: Date | null;
  readonly objects: readonly DetectedObject[];
}

export interface DetectedObject {
  readonly id: string | null;
  /** The likeliest class, as the camera names it (`Human`, `Vehicle`), and how likely it is, 0 to 1. */
  readonly type: string | null;
  readonly likelihood: number | null;
  /** Shares of the picture's width and height, from its upper left corner; null where the camera gives no box. */
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number } | null;
}

/** From a camera's numbers to ONVIF's normalised ones: from -1 to 1, to the right and up. */
interface Transformation {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

const same: Transformation = { x: (value) => value, y: (value) => value };

/** By local name: cameras differ in namespaces and prefixes. */
function elements(parent: Document | Element, localName: string): Element[] {
  return [...parent.getElementsByTagNameNS('*', localName)];
}

function child(parent: Element, localName: string): Element | undefined {
  return [...parent.children].find((element) => element.localName === localName);
}

function objectOf(object: Element, ofFrame: Transformation): DetectedObject {
  const appearance = child(object, 'Appearance');
  const { type, likelihood } = classOf(object);
  return {
    id: object.getAttribute('ObjectId'),
    type,
    likelihood,
    box: appearance === undefined ? null : boxOf(appearance, ofFrame),
  };
}

function boxOf(appearance: Element, ofFrame: Transformation): DetectedObject['box'] {
  const [box] = elements(appearance, 'BoundingBox');
  if (box === undefined) return null;
  const own = transformationOf(appearance);
  const number = (name: string) => numberOf(box.getAttribute(name)) ?? Number.NaN;
  const horizontal = (name: string) => (ofFrame.x(own.x(number(name))) + 1) / 2;
  const vertical = (name: string) => (1 - ofFrame.y(own.y(number(name)))) / 2;
  const [left, right] = ascending(horizontal('left'), horizontal('right'));
  const [top, bottom] = ascending(vertical('top'), vertical('bottom'));
  const result = { x: left, y: top, width: right - left, height: bottom - top };
  return Object.values(result).every(Number.isFinite) ? result : null;
}

/** Some cameras count down the picture without saying so by a transformation. */
function ascending(a: number, b: number): [number, number] {
  return a <= b ? [a, b] : [b, a];
}

/** `tt:Transformation`: scaled, then moved. */
function transformationOf(parent: Element): Transformation {
  const transformation = child(parent, 'Transformation');
  if (transformation === undefined) return same;
  const translate = child(transformation, 'Translate');
  const scale = child(transformation, 'Scale');
  const along = (axis: 'x' | 'y') => {
    const factor = numberOf(scale?.getAttribute(axis) ?? null) ?? 1;
    const offset = numberOf(translate?.getAttribute(axis) ?? null) ?? 0;
    return (value: number) => value * factor + offset;
  };
  return { x: along('x'), y: along('y') };
}

/** `tt:Class` with `tt:Type` elements of today, or with the `tt:ClassCandidate` elements of older cameras. */
function classOf(object: Element): Pick<DetectedObject, 'type' | 'likelihood'> {
  const candidates = elements(object, 'Class').flatMap((element) => [
    ...[...element.children]
      .filter(({ localName }) => localName === 'Type')
      .map((type) => ({ type: textOf(type), likelihood: numberOf(type.getAttribute('Likelihood')) })),
    ...elements(element, 'ClassCandidate').map((candidate) => ({
      type: textOf(child(candidate, 'Type')),
      likelihood: numberOf(textOf(child(candidate, 'Likelihood'))),
    })),
  ]);
  const [best] = candidates.sort((a, b) => (b.likelihood ?? 0) - (a.likelihood ?? 0));
  return best ?? { type: null, likelihood: null };
}

function textOf(element: Element | undefined): string | null {
  return element?.textContent?.trim() || null;
}

function numberOf(text: string | null): number | null {
  const value = text === null || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}

function dateOf(text: string | null): Date | null {
  const date = new Date(text ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? null : date;
}

import {
  H265NalType,
  type H265Pps,
  type H265Vps,
  h265TypeOf,
  hevcTrackConfig,
  parseH265Pps,
  parseH265Vps,
} from './h265.js';
import { type H265Sps, parseH265Sps } from './h265-sps.js';
import { equalBytes, parameterSetsFromDescription, trimParameterSet } from './parameter-set-bytes.js';
import type { VideoTrackConfig } from './track-config.js';

/** Parameter sets of one kind by id, as NAL units and as what they say. Later ones replace earlier ones. */
class SetsById<Content extends { readonly id: number }> {
  readonly #entries = new Map<number, { readonly nalUnit: Uint8Array; readonly content: Content }>();
  readonly #parse: (nalUnit: Uint8Array) => Content | null;

  constructor(parse: (nalUnit: Uint8Array) => Content | null) {
    this.#parse = parse;
  }

  get(id: number): { readonly nalUnit: Uint8Array; readonly content: Content } | null {
    return this.#entries.get(id) ?? null;
  }

  knows(nalUnit: Uint8Array): boolean {
    for (const known of this.#entries.values()) if (equalBytes(known.nalUnit, nalUnit)) return true;
    return false;
  }

  add(nalUnit: Uint8Array): 'changed' | 'known' | 'invalid' {
    if (this.knows(nalUnit)) return 'known';
    const content = this.#parse(nalUnit);
    if (content === null) return 'invalid';
    this.#entries.set(content.id, { nalUnit: nalUnit.slice(), content });
    return 'changed';
  }

  values(): IterableIterator<{ readonly nalUnit: Uint8Array; readonly content: Content }> {
    return this.#entries.values();
  }
}

/** Remembers the parameter sets of an H.265 stream and makes configurations of them. */
export class H265ParameterSets {
  readonly #vps = new SetsById<H265Vps>(parseH265Vps);
  readonly #sps = new SetsById<H265Sps>(parseH265Sps);
  readonly #pps = new SetsById<H265Pps>(parseH265Pps);
  /** Grows whenever a set is new or different. */
  #version = 0;
  #configVersion = -1;
  #configSpsId = -1;
  #config: VideoTrackConfig | null = null;

  /**
   * Takes one VPS, SPS or PPS NAL unit.
   * @returns `changed` also for a first one; `invalid` when it cannot be used, and then nothing is remembered
   */
  add(nalUnit: Uint8Array): 'changed' | 'known' | 'invalid' {
    const trimmed = trimParameterSet(nalUnit);
    const outcome = trimmed === null ? 'invalid' : (this.#kindOf(nalUnit)?.add(trimmed) ?? 'invalid');
    if (outcome === 'changed') this.#version++;
    return outcome;
  }

  /** Whether a parameter set only repeats one that is remembered. */
  knows(nalUnit: Uint8Array): boolean {
    return this.#kindOf(nalUnit)?.knows(nalUnit) ?? false;
  }

  /** Takes `sprop-vps`, `sprop-sps` and `sprop-pps` of a session description (RFC 7798, 7.1): what can be used of them. */
  addFromDescription(parameters: ReadonlyMap<string, string>): void {
    for (const name of ['sprop-vps', 'sprop-sps', 'sprop-pps']) {
      for (const nalUnit of parameterSetsFromDescription(parameters.get(name) ?? '')) this.add(nalUnit);
    }
  }

  /** The configuration for the first picture parameter set; null before there is one. */
  get firstConfig(): VideoTrackConfig | null {
    for (const { content } of this.#pps.values()) return this.configFor(content.id);
    return null;
  }

  /** The picture parameter set of an id and the sequence parameter set that it names, or null. */
  setsFor(ppsId: number): { readonly pps: H265Pps; readonly sps: H265Sps } | null {
    const pps = this.#pps.get(ppsId)?.content;
    const sps = pps === undefined ? undefined : this.#sps.get(pps.spsId)?.content;
    return pps === undefined || sps === undefined ? null : { pps, sps };
  }

  /**
   * The configuration for pictures that use a picture parameter set; the same object as long as nothing has changed.
   * @returns null while the set, or one that it depends on, is unknown
   */
  configFor(ppsId: number): VideoTrackConfig | null {
    const spsId = this.#pps.get(ppsId)?.content.spsId;
    const sps = spsId === undefined ? null : this.#sps.get(spsId);
    const vps = sps === null ? null : this.#vps.get(sps.content.vpsId);
    if (spsId === undefined || sps === null || vps === null) return null;
    if (this.#configVersion === this.#version && this.#configSpsId === spsId) return this.#config;
    const ppsNalUnits = [...this.#pps.values()]
      .filter(({ content }) => content.spsId === spsId)
      .sort((a, b) => a.content.id - b.content.id)
      .map(({ nalUnit }) => nalUnit);
    const nalUnits = { vps: vps.nalUnit, sps: sps.nalUnit, pps: ppsNalUnits };
    const config = hevcTrackConfig(sps.content, vps.content, nalUnits);
    if (this.#config === null || !equalBytes(this.#config.description, config.description)) this.#config = config;
    this.#configVersion = this.#version;
    this.#configSpsId = spsId;
    return this.#config;
  }

  #kindOf(nalUnit: Uint8Array): SetsById<{ readonly id: number }> | null {
    switch (h265TypeOf(nalUnit[0] ?? 0)) {
      case H265NalType.vps:
        return this.#vps;
      case H265NalType.sps:
        return this.#sps;
      case H265NalType.pps:
        return this.#pps;
      default:
        return null;
    }
  }
}

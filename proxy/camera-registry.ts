/** The named cameras, as the configuration has them now: a camera whose settings stay the same stays the same camera. */
import type { RtspUrl } from '../shared/rtsp-url.js';
import type { CameraConfig } from './config.js';
import type { Environment } from './connection.js';
import { CredentialsGate } from './credentials-gate.js';
import { NamedCamera } from './named-camera.js';
import type { UpstreamOptions } from './upstream.js';
import type { UpstreamPolicy } from './upstream-policy.js';

export interface CameraRegistryOptions {
  policy: UpstreamPolicy;
  upstream: UpstreamOptions;
  environment: Environment;
}

export class CameraRegistry {
  readonly #options: CameraRegistryOptions;
  #cameras: ReadonlyMap<string, NamedCamera> = new Map();
  #settings: ReadonlyMap<string, string> = new Map();

  constructor(options: CameraRegistryOptions) {
    this.#options = options;
  }

  /** By name. */
  get all(): ReadonlyMap<string, NamedCamera> {
    return this.#cameras;
  }

  get(name: string): NamedCamera | undefined {
    return this.#cameras.get(name);
  }

  /**
   * Takes the cameras of a configuration.
   * @returns names of cameras that are gone, or are not what they were
   */
  replace(configs: readonly CameraConfig[]): ReadonlySet<string> {
    const gateOf = this.#gates();
    const settings = new Map(configs.map((config) => [config.name, fingerprint(config)]));
    const cameras = new Map(
      configs.map((config) => {
        const isSame = this.#settings.get(config.name) === settings.get(config.name);
        const known = isSame ? this.#cameras.get(config.name) : undefined;
        return [config.name, known ?? new NamedCamera(config, { ...this.#options, gateOf })] as const;
      }),
    );
    const changed = [...this.#cameras].filter(([name, camera]) => cameras.get(name) !== camera).map(([name]) => name);
    this.#cameras = cameras;
    this.#settings = settings;
    return new Set(changed);
  }

  /** One gate for each account, whichever streams and cameras are behind it. */
  #gates(): (url: RtspUrl) => CredentialsGate {
    const { clock, timeouts } = this.#options.environment;
    const gates = new Map<string, CredentialsGate>();
    return (url) => {
      const account = JSON.stringify([url.scheme, url.host.toLowerCase(), url.port, url.username, url.password]);
      const gate = gates.get(account) ?? new CredentialsGate(clock, timeouts.rejectedCredentialsMs);
      gates.set(account, gate);
      return gate;
    };
  }
}

function fingerprint({ streams, ...config }: CameraConfig): string {
  return JSON.stringify([config, [...streams]]);
}

import type { RtspPlayerElement } from '../../../client/element/rtsp-player.js';
import type { Showing, ShowingOptions } from './showing.js';

/** The product, as a page uses it: the served script and an element with a camera's name. */

export async function prepare(options: ShowingOptions): Promise<void> {
  const script = document.createElement('script');
  script.type = 'module';
  script.src = `${options.proxyOrigin}/rtsp-player.js`;
  await new Promise((resolve, reject) => {
    script.addEventListener('load', resolve);
    script.addEventListener('error', () => reject(new Error(`${script.src} cannot be loaded.`)));
    document.head.append(script);
  });
  if (customElements.get('rtsp-player') === undefined) throw new Error(`${script.src} does not define <rtsp-player>.`);
}

export function start(options: ShowingOptions): Showing {
  const player = document.createElement('rtsp-player') as RtspPlayerElement;
  player.setAttribute('src', options.cameraName);
  player.setAttribute('latency', options.latency);
  player.setAttribute('autoplay', '');
  if (options.muted) player.setAttribute('muted', '');
  player.style.cssText = 'display:block;width:640px;height:360px';
  options.container.append(player);
  return {
    get video() {
      return player.video;
    },
    setMuted(muted) {
      player.muted = muted;
    },
    stats: () => player.getStats(),
  };
}

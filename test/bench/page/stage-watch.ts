/**
 * Notes the steps on the way to a first picture, of any player, from outside. Runs before the page's own scripts, as
 * text, so it may use nothing from outside. Leaves `globalThis.stages`: names and performance.now() of each first time.
 */
export function installStageWatch(): void {
  const stages: Record<string, number> = {};
  Object.assign(globalThis, { stages });
  const note = (name: string) => {
    stages[name] ??= performance.now();
  };
  let lastMethod = '';
  const firstWord = (data: unknown) => {
    const bytes =
      typeof data === 'string'
        ? new TextEncoder().encode(data)
        : data instanceof ArrayBuffer
          ? new Uint8Array(data)
          : new Uint8Array(
              (data as Uint8Array).buffer,
              (data as Uint8Array).byteOffset,
              (data as Uint8Array).byteLength,
            );
    return new TextDecoder('latin1').decode(bytes.subarray(0, 16)).split(/[ /]/)[0] ?? '';
  };
  class WatchedWebSocket extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      note('WebSocket made');
      super(url, protocols);
      this.addEventListener('open', () => note('WebSocket open'));
      this.addEventListener('message', ({ data }) => {
        const word = firstWord(data);
        if (word === 'RTSP') note(`${lastMethod} answered`);
        else if (word.startsWith('$')) note('first media');
      });
    }
    override send(data: Parameters<WebSocket['send']>[0]): void {
      const word = firstWord(data);
      if (/^[A-Z_]+$/.test(word)) {
        lastMethod = word;
        note(`${word} sent`);
      }
      super.send(data);
    }
  }
  globalThis.WebSocket = WatchedWebSocket;
  const { appendBuffer } = SourceBuffer.prototype;
  let appends = 0;
  SourceBuffer.prototype.appendBuffer = function (data) {
    appends++;
    note(appends === 1 ? 'first append' : appends === 2 ? 'second append' : 'third append');
    appendBuffer.call(this, data);
  };
  const { addSourceBuffer } = MediaSource.prototype;
  MediaSource.prototype.addSourceBuffer = function (type) {
    note('SourceBuffer made');
    return addSourceBuffer.call(this, type);
  };
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    note('play() called');
    for (const type of ['loadedmetadata', 'loadeddata', 'canplay', 'playing'])
      this.addEventListener(type, () => note(type));
    return play.call(this);
  };
}

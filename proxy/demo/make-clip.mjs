// Makes the demo camera's clip: main.h264 and sub.h264 (Annex B), sound.aac (ADTS). Each lasts a minute and joins its own
// beginning without a seam. Usage: node proxy/demo/make-clip.mjs
// Needs ffmpeg with libx264 and drawtext, and the DejaVu fonts (Debian: ffmpeg, fonts-dejavu-core).

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const clipSeconds = 60;
const fontFolder = '/usr/share/fonts/truetype/dejavu';

// The scene, in the pixels of a picture 640 wide. Whatever moves is back where it was after a minute, and moves by
// multiples of a quarter of a pixel a frame, which costs the coder next to nothing.
const dial = { x: 320, y: 150, radius: 112 };
const skyTop = [11, 16, 34];
const skyBottom = [30, 48, 92];
/** From the back to the front. `speed` is in pixels a second; the waves' lengths divide 60 × speed. */
const hills = [
  {
    level: 288,
    speed: 6.25,
    waves: [
      { length: 375, height: 12 },
      { length: 187.5, height: 5 },
    ],
    color: [33, 58, 108],
  },
  {
    level: 308,
    speed: -12.5,
    waves: [
      { length: 375, height: 13 },
      { length: 250, height: 6 },
    ],
    color: [24, 43, 84],
  },
  {
    level: 332,
    speed: 25,
    waves: [
      { length: 500, height: 11 },
      { length: 300, height: 5 },
    ],
    color: [15, 27, 56],
  },
];
const cometSeconds = 6;
const cometColor = [255, 190, 96];

/** Paints the scene without its text, as rows of 8-bit RGB. */
class Scene {
  constructor(width, height, frameRate) {
    Object.assign(this, { width, height, frameRate, scale: 640 / width });
    this.ground = new Float32Array(3 * width * height);
    this.#eachPixel(0, 360, (offset, x, y) => {
      const share = y / 360;
      const distance = Math.hypot(x - dial.x, y - dial.y);
      const glow = 14 * Math.exp(-((distance / 170) ** 2));
      const ring = 0.16 * cover((1 - Math.abs(distance - dial.radius)) / this.scale);
      for (let c = 0; c < 3; c++) {
        const sky = skyTop[c] + (skyBottom[c] - skyTop[c]) * share ** 1.5 + glow * (0.5 + 0.35 * c);
        this.ground[offset + c] = sky + (160 - sky) * ring;
      }
    });
  }

  paint(frame) {
    const time = frame / this.frameRate;
    const picture = Float32Array.from(this.ground);
    this.#paintTicks(picture, Math.floor(time) % 60);
    this.#paintHills(picture, time);
    this.#paintComet(picture, time);
    return new Uint8ClampedArray(picture);
  }

  /** Sixty marks around the dial, as many of them lit as seconds have gone. */
  #paintTicks(picture, second) {
    this.#eachPixel(dial.y - dial.radius - 12, dial.y + dial.radius + 12, (offset, x, y) => {
      const dx = x - dial.x;
      const dy = y - dial.y;
      const distance = Math.hypot(dx, dy);
      if (Math.abs(distance - dial.radius) > 9) return;
      const turn = (Math.atan2(dx, -dy) / (2 * Math.PI) + 1) % 1;
      const tick = Math.round(turn * 60) % 60;
      const isLong = tick % 5 === 0;
      const aside = Math.abs(turn * 60 - Math.round(turn * 60)) * ((2 * Math.PI * distance) / 60);
      const along = Math.abs(distance - dial.radius) - (isLong ? 6 : 3.5);
      const share = cover(-along / this.scale) * cover(((isLong ? 1.5 : 1.1) - aside) / this.scale);
      const color = tick <= second ? [150, 205, 255] : [58, 80, 124];
      for (let c = 0; c < 3; c++) picture[offset + c] += (color[c] - picture[offset + c]) * share;
    });
  }

  #paintHills(picture, time) {
    for (const { level, speed, waves, color } of hills) {
      const crests = Float32Array.from({ length: this.width }, (_, column) => {
        const at = column * this.scale - speed * time;
        return waves.reduce((y, { length, height }) => y - height * Math.sin((2 * Math.PI * at) / length), level);
      });
      this.#eachPixel(level - 24, 360, (offset, _x, y, column) => {
        const depth = y - crests[column];
        const share = cover(depth / this.scale);
        const light = 1 + 0.5 * Math.exp(-Math.max(0, depth) / 16);
        for (let c = 0; c < 3; c++) picture[offset + c] += (color[c] * light - picture[offset + c]) * share;
      });
    }
  }

  #paintComet(picture, time) {
    const angle = (2 * Math.PI * time) / cometSeconds;
    const cometX = dial.x + dial.radius * Math.sin(angle);
    const cometY = dial.y - dial.radius * Math.cos(angle);
    this.#eachPixel(cometY - 22, cometY + 22, (offset, x, y) => {
      const distance = Math.hypot(x - cometX, y - cometY);
      if (distance > 22) return;
      const share = Math.min(1, cover((6.5 - distance) / this.scale) + 0.5 * Math.exp(-((distance / 9) ** 2)));
      for (let c = 0; c < 3; c++) picture[offset + c] += (cometColor[c] - picture[offset + c]) * share;
    });
  }

  /** Rows from `top` to `bottom`, both in the scene's pixels. */
  #eachPixel(top, bottom, paint) {
    const first = Math.max(0, Math.floor(top / this.scale));
    const end = Math.min(this.height, Math.ceil(bottom / this.scale));
    for (let row = first; row < end; row++) {
      for (let column = 0; column < this.width; column++) {
        paint(3 * (row * this.width + column), column * this.scale, row * this.scale, column);
      }
    }
  }
}

/** Share of a pixel that lies inside a shape whose edge is so many pixels away (negative: outside). */
function cover(distance) {
  return Math.max(0, Math.min(1, distance + 0.5));
}

/** The text over the scene: the time is that of the frame, to the hundredth of a second. */
function textFilters(height, frameRate) {
  const scaled = (size) => Math.round((size * height) / 360);
  const text = (font, size, color, x, y, words) =>
    `drawtext=fontfile=${fontFolder}/${font}.ttf:fontsize=${scaled(size)}:fontcolor=${color}` +
    `:x=${x}:y=${scaled(y)}-ascent:text='${words}'`;
  const number = (expression) => `%{eif\\:${expression}\\:d\\:2}`;
  const hundredths = number(`mod(n\\,${frameRate})*${100 / frameRate}`);
  return [
    text('DejaVuSansMono-Bold', 88, 'white', `${scaled(320)}-${scaled(90)}`, 181, number(`floor(n/${frameRate})`)),
    text('DejaVuSansMono-Bold', 40, '0xc4dcff', `${scaled(320)}+${scaled(19)}`, 181, `.${hundredths}`),
    text('DejaVuSans-Bold', height < 300 ? 24 : 19, '0xeef4ff', scaled(24), 38, 'DEMO CAMERA'),
  ];
}

function path(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}

async function makeVideo(name, { width, height, frameRate, keyFrameSeconds, crf }) {
  const scene = new Scene(width, height, frameRate);
  const interval = frameRate * keyFrameSeconds;
  const x264 =
    `keyint=${interval}:min-keyint=${interval}:scenecut=0:bframes=0:ref=4:ipratio=1.2` +
    ':rc-lookahead=25:repeat-headers=1:aud=0:info=0';
  const filters = [
    ...textFilters(height, frameRate),
    'scale=out_color_matrix=bt709:out_range=tv',
    'format=yuv420p',
    'setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv',
  ];
  const ffmpeg = spawn(
    'ffmpeg',
    [
      ...['-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`],
      ...['-r', `${frameRate}`, '-i', 'pipe:0', '-vf', filters.join(',')],
      ...['-c:v', 'libx264', '-profile:v', 'high', '-preset', 'slower', '-tune', 'ssim', '-crf', `${crf}`],
      // SEI would carry the coder's name and settings, and nothing else.
      ...['-x264-params', x264, '-bsf:v', 'filter_units=remove_types=6', '-f', 'h264', path(name)],
    ],
    { stdio: ['pipe', 'inherit', 'inherit'] },
  );
  const ended = once(ffmpeg, 'close');
  for (let frame = 0; frame < clipSeconds * frameRate; frame++) {
    if (!ffmpeg.stdin.write(scene.paint(frame))) await once(ffmpeg.stdin, 'drain');
  }
  ffmpeg.stdin.end();
  const [status] = await ended;
  if (status !== 0) throw new Error(`ffmpeg could not make ${name}.`);
}

/**
 * A soft chord, and a chime on every second. At 32 kHz a minute is 1,875 blocks of 1,024 samples, exactly. The sound
 * repeats after a minute, so of two minutes the second one has nothing of the coder's start in it, and its end leads to
 * its beginning.
 */
function makeAudio(name) {
  const sampleRate = 32_000;
  const blocks = (clipSeconds * sampleRate) / 1_024;
  const chord = '0.04*sin(2*PI*220*t)+0.03*sin(2*PI*330*t)+0.025*sin(2*PI*440*t)';
  const chime = '(0.2*sin(2*PI*880*t)*exp(-6*mod(t,1))+0.07*sin(2*PI*1760*t)*exp(-9*mod(t,1)))*min(1,250*mod(t,1))';
  const { status, stdout } = spawnSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-f', 'lavfi', '-i', `aevalsrc='${chord}+${chime}':s=${sampleRate}:d=${2 * clipSeconds + 1}`],
      ...[
        '-c:a',
        'aac',
        '-profile:a',
        'aac_low',
        '-aac_coder',
        'fast',
        '-cutoff',
        '4000',
        '-b:a',
        '12k',
        '-f',
        'adts',
        'pipe:1',
      ],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 16 << 20 },
  );
  if (status !== 0) throw new Error(`ffmpeg could not make ${name}.`);
  const starts = [];
  for (let start = 0; start < stdout.length; start += (stdout.readUInt32BE(start + 3) >>> 13) & 0x1fff)
    starts.push(start);
  // Block n decodes to the samples from 1,024 × (n − 1) on: the coder begins with a block of its own.
  writeFileSync(path(name), stdout.subarray(starts[blocks + 1], starts[2 * blocks + 1]));
}

await makeVideo('main.h264', { width: 640, height: 360, frameRate: 25, keyFrameSeconds: 1, crf: 32 });
await makeVideo('sub.h264', { width: 320, height: 180, frameRate: 10, keyFrameSeconds: 2, crf: 34 });
makeAudio('sound.aac');

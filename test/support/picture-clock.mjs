// Reads the clock that picture_clock.py paints into a camera's picture; the layout is described there. Plain JavaScript
// without imports, so that it can be served to a page as it is.

const columns = 32;
const mark = 0xa5;

function crc8(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1;
  }
  return crc;
}

/** Side of a cell in pixels, in a picture of this width. */
export function cellSize(pictureWidth) {
  return Math.max(8, Math.floor(pictureWidth / 256) * 8);
}

/** Size in pixels of the part of the picture, from its top left corner, that `readPictureClock` has to see. */
export function clockArea(pictureWidth) {
  const cell = cellSize(pictureWidth);
  return { width: columns * cell, height: 2 * cell };
}

/**
 * The time at which a frame was made.
 * @param {Uint8ClampedArray | Uint8Array} rgba pixels of the clock's area (`clockArea`), 4 bytes each, no row padding
 * @param {number} pictureWidth width of the whole picture
 * @returns {number | null} milliseconds since 1970 with fractions of 1/64, or null when there is no intact clock
 */
export function readPictureClock(rgba, pictureWidth) {
  const cell = cellSize(pictureWidth);
  const rowBytes = columns * cell * 4;
  // The inner quarter of the cell: a coder smears the edges.
  const from = cell >> 2;
  const to = from + (cell >> 1);
  const half = 127 * (to - from) ** 2;
  const bytes = new Uint8Array(8);
  for (let index = 0; index < 64; index++) {
    const left = (index % columns) * cell;
    const top = Math.floor(index / columns) * cell;
    let green = 0;
    for (let y = top + from; y < top + to; y++) {
      for (let x = left + from; x < left + to; x++) green += rgba[y * rowBytes + x * 4 + 1];
    }
    if (green > half) bytes[index >> 3] |= 0x80 >> (index & 7);
  }
  if (bytes[7] !== mark || crc8(bytes.subarray(0, 6)) !== bytes[6]) return null;
  let units = 0;
  for (const byte of bytes.subarray(0, 6)) units = units * 256 + byte;
  return units / 64;
}

/**
 * Makes a reader for the frame that a `<video>` shows. Keep it: it owns a canvas.
 * @returns {(video: HTMLVideoElement) => number | null}
 */
export function createVideoClockReader() {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return (video) => {
    const pictureWidth = video.videoWidth;
    if (pictureWidth === 0) return null;
    const { width, height } = clockArea(pictureWidth);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    context.drawImage(video, 0, 0, width, height, 0, 0, width, height);
    return readPictureClock(context.getImageData(0, 0, width, height).data, pictureWidth);
  };
}

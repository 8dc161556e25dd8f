export function cellSize(pictureWidth: number): number;
export function clockArea(pictureWidth: number): { width: number; height: number };
export function readPictureClock(rgba: Uint8ClampedArray | Uint8Array, pictureWidth: number): number | null;
export function createVideoClockReader(): (video: HTMLVideoElement) => number | null;

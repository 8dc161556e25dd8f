// Draws a box around each object that the camera's analytics see. The event comes when the frame is on screen in which they
// were seen; boxes that no newer document confirms are taken away after a while.

const player = document.querySelector('rtsp-player');
const canvas = player.querySelector('canvas');
const context = canvas.getContext('2d');
const KEEP_MS = 1_000;
let timer = 0;

/** Where the picture is inside the element: it may leave room above and below, or beside. */
function pictureArea() {
  const { clientWidth, clientHeight, videoWidth, videoHeight } = player;
  const scale = Math.min(clientWidth / videoWidth, clientHeight / videoHeight);
  const width = videoWidth * scale;
  const height = videoHeight * scale;
  return { x: (clientWidth - width) / 2, y: (clientHeight - height) / 2, width, height };
}

function clear() {
  canvas.width = player.clientWidth;
  canvas.height = player.clientHeight;
}

player.addEventListener('metadata', ({ detail }) => {
  // Documents about other things (events, the position of the camera) have no frames.
  const frame = detail.frames.at(-1);
  if (frame === undefined || player.videoWidth === 0) return;
  clear();
  const area = pictureArea();
  context.strokeStyle = context.fillStyle = '#7cfc00';
  context.lineWidth = 2;
  context.font = '14px system-ui, sans-serif';
  for (const { box, type, id } of frame.objects) {
    if (box === null) continue;
    const x = area.x + box.x * area.width;
    const y = area.y + box.y * area.height;
    context.strokeRect(x, y, box.width * area.width, box.height * area.height);
    context.fillText(`${type ?? 'object'} ${id ?? ''}`, x, Math.max(14, y - 4));
  }
  clearTimeout(timer);
  timer = setTimeout(clear, KEEP_MS);
});

/**
 * The wall: lists the proxy's cameras (`/cameras`), shows each in a `<rtsp-player>`, one of them large if a person wants
 * (its name is then the URL's fragment), and says how to embed it in another page.
 */

/**
 * @typedef {object} Camera
 * @property {string} name - as in `src`
 * @property {string} title - for people
 * @property {string[]} streams - the first is the one that the bare name plays
 */

/** Pixels. A tile below this width shows too little: then the wall scrolls. */
const MIN_TILE_WIDTH = 280;
const RETRY_MS = 5_000;
const FETCH_TIMEOUT_MS = 10_000;
const COPIED_MS = 2_000;

/** @type {Record<string, string>} */
const stateWords = {
  idle: 'Stopped',
  connecting: 'Connecting',
  playing: 'Live',
  paused: 'Paused',
  reconnecting: 'Reconnecting',
  ended: 'Ended',
  error: 'Not available',
};

/** @type {(selector: string, parent?: ParentNode) => any} */
const find = (selector, parent = document) => parent.querySelector(selector);

const grid = find('#grid');
const sections = ['grid', 'loading', 'empty', 'failure'];
/** @type {Map<string, HTMLElement>} */
const tiles = new Map();

/** @param {string} wanted - the id of the one section that shows */
function show(wanted) {
  for (const id of sections) find(`#${id}`).hidden = id !== wanted;
}

/** An access token for somebody whom a portal sends here with one; not kept where histories are. */
const token = new URLSearchParams(location.search).get('token') ?? '';
if (token !== '') history.replaceState(null, '', location.pathname + location.hash);

// Loading

/** @returns {Promise<Camera[]>} */
async function loadCameras() {
  const response = await fetch('./cameras', {
    headers: { accept: 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (response.status === 401) throw new Error('Sign in first: the proxy wants to know who is there.');
  if (!response.ok) throw new Error(`The proxy answered with status ${response.status}.`);
  const list = await response.json();
  if (!Array.isArray(list)) throw new Error('The proxy answered with something that is not a list of cameras.');
  return list.map(({ name, title, streams }) => ({
    name: String(name),
    title: String(title ?? name),
    streams: Array.isArray(streams) ? streams.map(String) : [],
  }));
}

async function start() {
  try {
    const [cameras] = await Promise.all([loadCameras(), import('./rtsp-player.js')]);
    for (const camera of cameras) grid.append(createTile(camera));
    arrange();
    summarize();
    followUrl();
    show(cameras.length === 0 ? 'empty' : 'grid');
    new ResizeObserver(arrange).observe(find('main'));
  } catch (thrown) {
    const isUnreached = thrown instanceof TypeError || thrown?.name === 'TimeoutError';
    find('#failure-reason').textContent = isUnreached ? 'The proxy does not answer.' : thrown.message;
    show('failure');
    setTimeout(reloadWhenReachable, RETRY_MS);
  }
}

/** A module that failed to load fails for as long as the page lives, so the page itself is loaded again. */
async function reloadWhenReachable() {
  try {
    await loadCameras();
    location.reload();
  } catch {
    setTimeout(reloadWhenReachable, RETRY_MS);
  }
}

// Tiles

/** @param {Camera} camera */
function createTile(camera) {
  const tile = document.importNode(find('#tile').content, true).firstElementChild;
  const player = find('rtsp-player', tile);
  player.token = token;
  const streams = find('.stream', tile);
  tile.id = `camera-${camera.name}`;
  tiles.set(camera.name, tile);
  player.setAttribute('src', camera.name);
  player.setAttribute('label', camera.title);
  find('.title', tile).textContent = camera.title;
  find('.title', tile).title = camera.title;
  find('.embed', tile).setAttribute('aria-label', `Embed ${camera.title}`);

  const showState = () => {
    const state = player.state ?? 'idle';
    tile.dataset.state = state;
    find('.status', tile).textContent = stateWords[state] ?? state;
    summarize();
  };
  player.addEventListener('statechange', showState);
  showState();

  if (camera.streams.length > 1) {
    streams.hidden = false;
    streams.setAttribute('aria-label', `Stream of ${camera.title}`);
    streams.append(...camera.streams.map((stream) => new Option(stream, stream)));
    streams.addEventListener('change', () => player.setAttribute('src', sourceOf(camera, streams.value)));
  }
  find('.embed', tile).addEventListener('click', () => openEmbed(camera, player.getAttribute('src')));
  find('.enlarge', tile).addEventListener('click', () => enlarge(isEnlarged(tile) ? null : camera.name));
  player.addEventListener('click', (/** @type {Event} */ event) => {
    const isOnControl = event
      .composedPath()
      .some((target) => target instanceof Element && target.matches('button, input'));
    if (!isOnControl && !isEnlarged(tile)) enlarge(camera.name);
  });
  labelEnlarge(tile, camera.title);
  return tile;
}

/** @param {Camera} camera @param {string} stream */
function sourceOf(camera, stream) {
  return stream === camera.streams[0] ? camera.name : `${camera.name}/${stream}`;
}

function summarize() {
  const all = [...tiles.values()];
  const live = all.filter(({ dataset }) => dataset.state === 'playing').length;
  const cameras = all.length === 1 ? '1 camera' : `${all.length} cameras`;
  find('#summary').textContent = all.length === 0 ? '' : `${cameras}, ${live} live`;
}

/** Chooses the number of columns that makes the tiles largest while all are on the screen. */
function arrange() {
  const { clientWidth, clientHeight } = document.documentElement;
  const style = getComputedStyle(document.documentElement);
  const gap = Number.parseFloat(style.getPropertyValue('--gap'));
  const caption = Number.parseFloat(style.getPropertyValue('--caption'));
  const width = clientWidth - 2 * gap;
  const height = clientHeight - find('.top').offsetHeight - gap;
  const count = tiles.size;
  let best = { columns: 1, tileWidth: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const fromWidth = (width - gap * (columns - 1)) / columns;
    const fromHeight = (((height - gap * (rows - 1)) / rows - caption) * 16) / 9;
    const tileWidth = Math.floor(Math.min(fromWidth, fromHeight));
    if (tileWidth > best.tileWidth) best = { columns, tileWidth };
  }
  const scrolls = best.tileWidth < MIN_TILE_WIDTH;
  const fitting = Math.max(1, Math.floor((width + gap) / (MIN_TILE_WIDTH + gap)));
  grid.classList.toggle('scrolls', scrolls);
  grid.style.setProperty('--columns', String(scrolls ? Math.min(fitting, count) : best.columns));
  grid.style.setProperty('--tile-width', scrolls ? '1fr' : `${best.tileWidth}px`);
}

// One camera, large

/** @param {HTMLElement} tile */
const isEnlarged = (tile) => tile.classList.contains('enlarged');

/** @param {string | null} name */
function enlarge(name) {
  if (name === null) history.replaceState(null, '', location.pathname + location.search);
  else location.hash = name;
  followUrl();
}

/** The URL says which camera is large. */
function followUrl() {
  const wanted = tiles.get(location.hash.slice(1));
  for (const tile of tiles.values()) {
    const wasEnlarged = isEnlarged(tile);
    tile.classList.toggle('enlarged', tile === wanted);
    tile.inert = wanted !== undefined && tile !== wanted;
    labelEnlarge(tile, find('.title', tile).textContent);
    if (wasEnlarged && tile !== wanted) tile.scrollIntoView({ block: 'nearest' });
  }
  document.body.classList.toggle('has-enlarged', wanted !== undefined);
}

/** @param {HTMLElement} tile @param {string} title */
function labelEnlarge(tile, title) {
  const button = find('.enlarge', tile);
  const label = isEnlarged(tile) ? 'Back to all cameras' : `Enlarge ${title}`;
  button.setAttribute('aria-label', label);
  button.title = label;
}

addEventListener('hashchange', followUrl);
addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.defaultPrevented || find('#embed').open || document.fullscreenElement) return;
  if (document.body.classList.contains('has-enlarged')) enlarge(null);
});

// Embedding

/** @param {string} text */
const escapeAttribute = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

/** @param {Camera} camera @param {string} src - the camera and the stream that is showing */
function openEmbed(camera, src) {
  const script = new URL('./rtsp-player.js', document.baseURI);
  const socket = new URL('./rtsp', document.baseURI);
  socket.protocol = script.protocol === 'https:' ? 'wss:' : 'ws:';
  const label = camera.title === camera.name ? '' : ` label="${escapeAttribute(camera.title)}"`;
  find('#embed-title').textContent = `Embed ${camera.title}`;
  find('#embed-code').textContent =
    `<script type="module" src="${script.href}"></script>\n` +
    `<rtsp-player src="${escapeAttribute(src)}"${label} autoplay muted controls></rtsp-player>`;
  find('#embed-policy').textContent = `script-src ${script.origin};\nconnect-src ${socket.origin};\nmedia-src blob:`;
  find('#embed-insecure').hidden = script.protocol === 'https:';
  find('#embed').showModal();
}

/** @param {HTMLElement} source */
async function copyText(source) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? '');
    return true;
  } catch {
    // On a plain-HTTP page there is no clipboard to write to, or it was refused; copying a selection works.
    getSelection()?.selectAllChildren(source);
    return document.execCommand('copy');
  }
}

for (const button of document.querySelectorAll('.copy')) {
  const word = button.textContent ?? '';
  let timer = 0;
  button.addEventListener('click', async () => {
    const isCopied = await copyText(find(`#${button.getAttribute('data-copies')}`));
    const said = isCopied ? 'Copied' : 'Press Ctrl+C';
    button.textContent = said;
    button.classList.toggle('done', isCopied);
    find('#copied').textContent = said;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = word;
      button.classList.remove('done');
      find('#copied').textContent = '';
    }, COPIED_MS);
  });
}

find('#embed .close').addEventListener('click', () => find('#embed').close());
find('#embed').addEventListener('click', (/** @type {MouseEvent} */ event) => {
  // The dialog itself is hit only on its backdrop and its padding.
  const { left, right, top, bottom } = find('#embed').getBoundingClientRect();
  const { clientX: x, clientY: y, target } = event;
  if (target === find('#embed') && (x < left || x > right || y < top || y > bottom)) find('#embed').close();
});
find('#retry').addEventListener('click', () => location.reload());

void start();

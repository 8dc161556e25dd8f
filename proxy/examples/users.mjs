// Stands for what a real program has already: sessions of users who have signed in, and what each may see.

const sessions = new Map([
  ['session-of-alice', { name: 'alice', cameras: ['front'] }],
  ['session-of-bob', { name: 'bob', cameras: [] }],
]);

/** The user behind a request's session cookie, or null. */
export function userOf(request) {
  const id = /(?:^|;\s*)session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];
  return sessions.get(id) ?? null;
}

/** The page of a program that shows a camera. */
export const page = `<!doctype html>
<title>Portal</title>
<script type="module" src="/rtsp-player.js"></script>
<rtsp-player src="front" autoplay muted controls></rtsp-player>
`;

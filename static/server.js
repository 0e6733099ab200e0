// The server: its addresses, what it says of itself at /state, and its clock. Knows nothing of the page.

const GIVE_UP_MS = 5000;             // on an answer
const REFUSALS = [401, 403, 421, 503];   // by these it says that it gives this viewer no stream

export const SILENCE_MS = 5000;      // the server repeats a part each second, so this is dead
export const now = () => performance.now();
export const canRead = Boolean(window.createImageBitmap && window.AbortController && window.Response && 'body' in Response.prototype);

// Absolute: a page opened as http://user:password@… may not fetch relative addresses.
const PATH = location.pathname.replace(/[^/]*$/, '');
const BASE = location.origin + PATH;
export const TOKEN = new URLSearchParams(location.search).get('token');

/** The server's address of `path`, with the token the page was opened with. */
export function address(path) {
  return BASE + path + (TOKEN ? (path.includes('?') ? '&' : '?') + 'token=' + encodeURIComponent(TOKEN) : '');
}

/** What this browser remembers of this camera; '' for nothing. */
export function remembered(name) {
  try { return localStorage.getItem(keyOf(name)) || ''; } catch (error) { return ''; /* storage is blocked */ }
}

export function remember(name, value) {
  try { localStorage.setItem(keyOf(name), value); } catch (error) { /* not remembered then */ }
}

const keyOf = (name) => 'camfeed-' + name + (PATH === '/' ? '' : PATH);

/** A fetch that gives up: the connection may be dead, or all six of the browser taken by streams. */
export async function ask(path, options) {
  const stopper = canRead ? new AbortController() : { abort() {} };
  const limit = setTimeout(() => stopper.abort(), GIVE_UP_MS);
  try {
    return await fetch(address(path), Object.assign({ cache: 'no-store', signal: stopper.signal }, options));
  } finally { clearTimeout(limit); }
}

/** An answer that is none, as an error. Only a plain text is the server's own word; a proxy's HTML page is not. */
export async function refusal(response) {
  const isOurs = (response.headers.get('Content-Type') || '').startsWith('text/plain');
  const text = isOurs ? (await response.text()).trim().slice(0, 200) : '';
  const error = new Error(text || 'The server answered ' + response.status);
  error.isRefusal = Boolean(text) && REFUSALS.includes(response.status);
  error.waitMs = 1000 * Math.min(30, Number(response.headers.get('Retry-After')) || 0);
  return error;
}

// ---- what it says at /state ----

export const server = {
  report: {}, at: -Infinity,         // the newest, and when it came
  heardAt: now(),                    // anything at all, a stream's bytes included
  clock: null,                       // {offset (s, to be added to performance.now() / 1000), trip (s)}
  encodedShare: 1,                   // of the camera's pictures
  pollMs: 1000,                      // the page sets it
  onReport: [],                      // called with {report, before, asked, answered, wasGone}
  onAnswer: () => {},                // after every attempt, an answer or none
  timer: 0, isAsking: false,
};

export const cameraNow = () => server.report.camera || {};
export const isFresh = () => now() - server.at < SILENCE_MS;
export const isCamera = (...states) => isFresh() && states.includes(cameraNow().state);

export async function pollState() {
  clearTimeout(server.timer);
  if (server.isAsking || document.hidden) return;
  server.isAsking = true;
  const asked = now();
  try {
    const response = await ask('state');
    const answered = now();
    if (response.ok) takeReport(await response.json(), asked, answered);
  } catch (error) { /* heardAt grows old by itself */ }
  server.isAsking = false;
  server.timer = setTimeout(pollState, server.pollMs);
  server.onAnswer();
}

function takeReport(report, asked, answered) {
  const before = server.report;
  const wasGone = answered - server.heardAt > 2000;
  server.encodedShare = encodedShare(before.camera || {}, report.camera || {});
  Object.assign(server, { report, at: answered, heardAt: answered });
  if (report.now) setClock(report.now - (asked + answered) / 2000, (answered - asked) / 1000);
  server.onReport.forEach((listener) => listener({ report, before, asked, answered, wasGone }));
}

/** The share of the camera's pictures between two reports that its encoders had time for. */
export function encodedShare(before, after) {
  const captured = after.captured - before.captured;
  const skipped = after.skipped - before.skipped;
  return captured > 0 && skipped > 0 ? Math.max(0, 1 - skipped / captured) : 1;
}

/** Keeps the estimate with the shortest round trip, until it is old or the server's clock has jumped. */
function setClock(offset, trip) {
  const best = server.clock;
  const hasJumped = best && Math.abs(offset - best.offset) > (trip + best.trip) / 2 + 0.05;
  if (!best || trip <= best.trip || hasJumped) server.clock = { offset, trip };
  else best.trip *= 1.1;
}

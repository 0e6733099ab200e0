// The server: its addresses, its streams, what it says of itself at /state, and its clock. Knows nothing of the page.

import { PartReader } from './parts.js';

const GIVE_UP_MS = 5000;             // on an answer
const REFUSALS = [401, 403, 421, 503];   // by these it says that it gives this viewer no stream
const BACKOFF_MS = [500, 5000];      // first and longest wait before a reconnect
const CLOCK_JUMP_MS = 1000;

export const SILENCE_MS = 5000;      // the server repeats a part each second, so this is dead
export const now = () => performance.now();
export const canRead = Boolean(window.createImageBitmap && window.AbortController && window.Response && 'body' in Response.prototype);

// Absolute: a page opened as http://user:password@… may not fetch relative addresses.
const PATH = location.pathname.replace(/[^/]*$/, '');
export const BASE = location.origin + PATH;
export const TOKEN = new URLSearchParams(location.search).get('token');

/** The server's address of `path`, with the token the page was opened with. */
export function address(path, base = BASE) {
  return base + path + (TOKEN ? (path.includes('?') ? '&' : '?') + 'token=' + encodeURIComponent(TOKEN) : '');
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

// ---- its streams ----

/** Reads the stream at `path` to its end, which is an error. `onBytes` is called with the PartReader when the answer
    has begun, and whenever there are more bytes. */
export async function readStream(path, signal, onBytes) {
  const response = await fetch(address(path), { signal, cache: 'no-store' });
  if (!response.ok) {
    server.heardAt = now();
    throw await refusal(response);
  }
  const boundary = /boundary="?([^";]+)/i.exec(response.headers.get('Content-Type') || '');
  if (!boundary) throw new Error('The answer is not a stream');
  const reader = response.body.getReader();
  const parts = new PartReader(boundary[1]);
  for (;;) {
    server.heardAt = now();
    onBytes(parts);
    const { done, value } = await reader.read();
    if (signal.aborted) return;
    if (done) throw new Error('The stream ended');
    parts.push(value);
  }
}

/** Ms until the next attempt after as many that failed, the last with `error`; not the same for all viewers. */
export function waitAfter(failures, error) {
  const backoff = Math.min(BACKOFF_MS[1], BACKOFF_MS[0] * Math.pow(2, failures));
  return Math.max(backoff, error.waitMs || 0) * (0.8 + 0.4 * Math.random());
}

let skew = Date.now() - now();

/** Ms by which the clocks of this device parted since the last call; 0 for few. A device that slept has stopped one of
    them: the server's is no longer known, and what a stream still holds is old. */
export function clockJump() {
  const before = skew;
  skew = Date.now() - now();
  const jump = Math.abs(skew - before);
  if (jump < CLOCK_JUMP_MS) return 0;
  server.clock = null;
  return jump;
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
  timeouts: 0,                       // requests in a row that nobody answered in time
};

export const cameraNow = () => server.report.camera || {};
export const isFresh = () => now() - server.at < SILENCE_MS;
export const isCamera = (...states) => isFresh() && states.includes(cameraNow().state);

/** Whether somebody can look at the page. */
export const isSeen = () => !document.hidden || Boolean(document.pictureInPictureElement);

export async function pollState() {
  clearTimeout(server.timer);
  if (server.isAsking || !isSeen()) return;
  server.isAsking = true;
  const asked = now();
  try {
    const response = await ask('state');
    const answered = now();
    if (response.ok) takeReport(await response.json(), asked, answered);
    server.timeouts = 0;
  } catch (error) {                  // heardAt grows old by itself
    server.timeouts = error.name === 'AbortError' ? server.timeouts + 1 : 0;
  }
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

// ---- the other windows of this browser: it has six connections to a server, and each stream takes one ----

const MOST_STREAMS = 5;              // one connection stays for everything else
const ASK_AGAIN_MS = 2000;
const MULTIPLEXES = /^h[23]/.test((performance.getEntriesByType('navigation')[0] || {}).nextHopProtocol);   // one connection for all, by a proxy
const ID = Math.random().toString(36).slice(2);

export const windows = {
  channel: null, timer: 0,
  since: 0,                          // when this window's stream began, ms since 1970; 0 for none
  others: new Map(),                 // the streams of other windows, by their ids: {since, heardAt}
  onFull: () => {}, onRoom: () => {},
};

const areOlder = () => Array.from(windows.others).filter(([id, { since }]) => since < windows.since || (since === windows.since && id < ID)).length;
const heardTime = () => Date.now() - now() + server.heardAt;

/** Whether another window heard from the server when this one did not any more. */
export const isAnotherLive = () => Array.from(windows.others.values()).some((other) => other.heardAt > heardTime() + 2000);

/** Takes one of the places. The stream need not wait: `onFull` is called when five windows had theirs before, and
    `onRoom` once there is a place again. */
export function joinWindows(listeners) {
  clearTimeout(windows.timer);
  if (!window.BroadcastChannel || MULTIPLEXES) return;
  if (!windows.channel) {
    windows.channel = new BroadcastChannel('camfeed');
    windows.channel.onmessage = ({ data }) => onWindow(data);
  }
  Object.assign(windows, listeners, { since: windows.since || Date.now() });
  askWindows();
}

/** Makes room for another window. */
export function leaveWindows() {
  clearTimeout(windows.timer);
  if (!windows.channel) return;
  windows.since = 0;
  tellWindows({});
  windows.channel.close();
  windows.channel = null;
}

const tellWindows = (question) => windows.channel.postMessage(Object.assign({ id: ID, since: windows.since, heardAt: heardTime() }, question));

function askWindows() {
  windows.others.clear();
  tellWindows({ isQuestion: true });
}

function onWindow({ id, since, heardAt, isQuestion }) {
  if (since) windows.others.set(id, { since, heardAt }); else windows.others.delete(id);
  if (isQuestion && windows.since) tellWindows({});
  if (windows.since && areOlder() >= MOST_STREAMS) {
    windows.since = 0;
    tellWindows({});
    awaitRoom();
    windows.onFull();
  }
}

/** Asks who has a stream, and takes one when few enough have answered. */
function awaitRoom() {
  clearTimeout(windows.timer);
  windows.timer = setTimeout(() => {
    if (windows.others.size < MOST_STREAMS) return windows.onRoom();
    askWindows();
    awaitRoom();
  }, ASK_AGAIN_MS);
}

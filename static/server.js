// The server: its addresses, its streams, what it says of itself at /state, and its clock. Knows nothing of the page.

import { PartReader } from './parts.js';

const GIVE_UP_MS = 5000;             // on an answer
const REFUSALS = [401, 403, 421, 503];   // by these it says that it gives this viewer no stream
const BACKOFF_MS = [500, 5000];      // first and longest wait before a reconnect
const CLOCK_JUMP_MS = 1000;

export const SILENCE_MS = 5000;      // the server gives a sign of life each second, so this is dead
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
  if (text) server.heardAt = now();
  const error = new Error(text || 'The server answered ' + response.status);
  error.isRefusal = Boolean(text) && REFUSALS.includes(response.status);
  error.waitMs = 1000 * Math.min(30, Number(response.headers.get('Retry-After')) || 0);
  return error;
}

// ---- its streams ----

/** One connection to a stream, watched, and made again when it ends. Its owner has `isWanted()`, `begin()`, which calls read()
    or sets `attempt`, `onBytes(parts)`, and may have `onClose()`, and `onChange()` for when it does not go on. */
export class Link {
  constructor(own) {
    Object.assign(this, {
      attempt: null,       // the running request
      phase: 'closed',     // closed, connecting, open (a part has come), waiting (to try again), full (too many windows)
      failures: 0, failure: null, timer: 0,
      startedAt: 0, heardAt: now(),
      partAt: 0,           // when the part began that is arriving
      asleep: document.hidden,     // opened in the background: wait to be looked at
      onClose() {}, onChange() {},
    }, own);
  }

  connect() {
    this.close('closed');
    if (this.asleep || !this.isWanted()) return leaveWindows();
    // Five older windows of this browser have a stream: this one gives its connection back.
    joinWindows({ onFull: () => { this.close('full'); this.onChange(); }, onRoom: () => this.connect() });
    Object.assign(this, { phase: 'connecting', startedAt: now(), heardAt: now(), partAt: 0 });
    this.begin();
  }

  /** Until its end, which is an error. */
  async read(path) {
    const attempt = this.attempt = new AbortController();
    try {
      const response = await fetch(address(path), { signal: attempt.signal, cache: 'no-store' });
      this.heardAt = server.heardAt = now();
      if (!response.ok) throw await refusal(response);
      const boundary = /boundary="?([^";]+)/i.exec(response.headers.get('Content-Type') || '');
      if (!boundary) throw new Error('The answer is not a stream');
      const reader = response.body.getReader();
      const parts = new PartReader(boundary[1]);
      for (;;) {
        const { done, value } = await reader.read();
        if (attempt.signal.aborted) return;
        if (done) throw new Error('The stream ended');
        this.heardAt = server.heardAt = now();
        parts.push(value);
        this.onBytes(parts);
        if (parts.head) this.partAt = this.partAt || now();
      }
    } catch (error) { if (this.attempt === attempt) this.retry(error); }
  }

  /** A part has come; the ms that it took. */
  open() {
    const transit = this.partAt && now() - this.partAt;
    Object.assign(this, { phase: 'open', failures: 0, failure: null, partAt: 0 });
    return transit;
  }

  close(phase) {
    clearTimeout(this.timer);
    if (this.attempt) this.attempt.abort();
    Object.assign(this, { attempt: null, phase });
    this.onClose();
  }

  retry(error) {
    this.close('waiting');
    const backoff = Math.min(BACKOFF_MS[1], BACKOFF_MS[0] * Math.pow(2, this.failures));
    const wait = Math.max(backoff, error.waitMs || 0) * (0.8 + 0.4 * Math.random());   // not all viewers at once
    Object.assign(this, { failure: error, failures: this.failures + 1, timer: setTimeout(() => this.again(), wait) });
    this.onChange();
  }

  again() { this.connect(); }

  /** A network, or the server, is there again. */
  hurry() {
    if (this.phase === 'waiting') this.connect();
  }

  /** Until the page is shown again: it may be kept for the back button, and its picture is old then. */
  rest() {
    this.close('closed');
    leaveWindows();
    this.onChange();
  }

  setAsleep(isAsleep) {
    this.asleep = isAsleep;
    if (isAsleep) this.rest();
    else if (this.phase === 'closed' || this.phase === 'waiting') this.connect();
  }

  watchSilence(limit) {
    if (this.attempt && now() - this.heardAt > limit) this.retry(new Error('The stream fell silent'));
  }
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
  onRefusal: () => {},               // called with an error
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
    else server.onRefusal(await refusal(response));
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

/** What a verdict has to know of the server and of this device; `link` is the connection. */
export function known({ failures, failure }) {
  return {
    pausedFor: null, isFresh: isFresh(), reportAge: (now() - server.at) / 1000, silence: (now() - server.heardAt) / 1000,
    failures, failure, isOnline: navigator.onLine !== false, isAnotherLive: isAnotherLive(),
  };
}

/** Seconds since the part's picture was captured, by a clock that is so many ahead of the server's. */
export function ageOf({ timestamp, at }, ahead = 0) {
  if (!timestamp || !server.clock) return (now() - at) / 1000;
  return Math.max(0, now() / 1000 + server.clock.offset + ahead - timestamp);
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

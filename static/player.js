// Plays the stream: reads it, paints its newest frame, and makes a new connection when one ends.
// An <img> cannot do that: it shows a part only when the next one begins, and never tells that the
// stream has died. Where reading fails, an <img> is what remains.
// begin.js loads it before the rest; it starts by itself, so that the first picture is on its way early.

import { Rate, isPlaceholder } from './parts.js';
import { Link, SILENCE_MS, address, ageOf, canRead, clockJump, isCamera, now, remembered, server } from './server.js';

const READER_MISSES = 2;             // reading failed so often in a row: an <img> takes over
const BROKEN_PICTURES = 5;           // so many in a row cannot be decoded: this browser cannot show them

// ---- painting: never more than one decode at a time, and then the newest frame ----

export const painter = { busy: false, waiting: null, painted: null, broken: 0, rate: new Rate(), onPaint: () => {} };
const canvas = document.getElementById('picture');
const brush = canvas.getContext('2d', { alpha: false });

function draw(image, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  brush.drawImage(image, 0, 0);
}

function show({ sequence, timestamp, jpeg }) {
  painter.waiting = { sequence, timestamp, at: now(), isPlaceholder: isPlaceholder(jpeg), blob: new Blob([jpeg], { type: 'image/jpeg' }) };
  if (!painter.busy) paintNewest();
}

async function paintNewest() {
  painter.busy = true;
  while (painter.waiting) {
    const { blob, sequence, timestamp, at, isPlaceholder } = painter.waiting;
    painter.waiting = null;
    try {
      const image = await createImageBitmap(blob);
      if (link.pausedAt && painter.painted) break;         // what was on the screen stays there
      draw(image, image.width, image.height);
      image.close();
      Object.assign(painter, { painted: { sequence, timestamp, at, blob, isPlaceholder }, broken: 0 });
      painter.rate.add(now(), painter.painted);
      painter.onPaint();
    } catch (error) { painter.broken += 1; /* the last good one stays, and grows old in plain sight */ }
  }
  painter.busy = false;
}

// ---- the stream: one connection, watched, and made again when it ends ----

export const QUICK = { is: false, since: 0 };   // of a connection that is not slow

const rememberedRate = Number(remembered('fps'));

export const link = new Link({
  openedAt: 0, sequence: null, rate: new Rate(),
  period: 0,           // ms between the frames that arrive
  transit: 0,          // ms that the last one took to arrive
  slow: QUICK,
  fps: rememberedRate >= 0.1 && rememberedRate <= 120 ? rememberedRate : 0,   // asked for; 0: all
  reads: canRead,      // the page reads the stream itself; else an <img> plays it
  misses: 0,           // attempts to read in a row that failed although the server answered
  pausedAt: 0,
  isWanted: () => !link.pausedAt,
  begin() {
    Object.assign(link, { sequence: null, period: 0, transit: 0, slow: QUICK });
    if (link.reads) link.read(streamPath('type=bytes'));
    else connectImage();
  },
  onBytes,
  onClose() {
    link.rate.clear();
    painter.rate.clear();
    Object.assign(painter, { waiting: null, broken: 0 });
  },
  again() {            // reading that fails again and again before a first picture, at a server that answers, is given up for an <img>
    const isReader = !link.failure.isRefusal && !painter.painted && server.at > link.startedAt;
    link.misses = isReader ? link.misses + 1 : 0;
    if (link.misses >= READER_MISSES) link.reads = false;
    link.connect();
  },
});

/** The stream's path; `type=bytes` because WebKit takes a multipart answer apart before fetch() sees it. */
const streamPath = (parameters) => 'stream?' + parameters + (link.fps ? '&fps=' + link.fps : '');

function onBytes(parts) {
  let newest = null;
  for (let part = parts.next(); part; part = parts.next()) if (isFrame(part)) newest = part;
  if (newest) show(newest);
  if (painter.broken >= BROKEN_PICTURES && !painter.painted) throw new Error('The pictures cannot be shown');
}

/** A part that repeats the sequence before it is a keep-alive, not a frame. What comes after a placeholder is a new beginning. */
function isFrame(part) {
  link.transit = link.open();
  if (part.sequence !== undefined && part.sequence === link.sequence) return false;
  link.sequence = part.sequence;
  if (isPlaceholder(part.jpeg)) link.rate.clear();
  else link.rate.add(now(), part);
  const span = link.rate.span;
  link.period = span ? span.arrived / span.gaps : link.transit;
  return true;
}

// ---- where the page cannot read the stream: a plain <img>, its health told by /state ----

/** Keeps what the <img> shows on the canvas. A placeholder has no mark there: the camera's state must do. */
function freezeImage(image) {
  draw(image, image.naturalWidth, image.naturalHeight);
  painter.painted = { at: now(), timestamp: 0, blob: null, isPlaceholder: !isCamera('online') };
}

function connectImage() {
  const image = document.getElementById('fallback');
  const freeze = () => {
    if (image.naturalWidth) freezeImage(image);
    image.removeAttribute('src');
    image.hidden = true;
  };
  const attempt = link.attempt = { abort: freeze };
  image.onload = () => {             // of the last part, it may come when the stream has been ended
    if (link.attempt !== attempt) return;
    if (link.phase !== 'open') link.openedAt = now();
    link.open();
    image.hidden = false;
  };
  image.onerror = () => { if (link.attempt === attempt) link.retry(new Error('The stream ended')); };
  image.src = address(streamPath('t=' + Date.now()));
}

/** An <img> does not tell when its stream ends: another start of the server has ended it, and one without viewers has none. */
function watchImage({ before, report, asked }) {
  if (link.reads || link.phase !== 'open' || asked < link.openedAt) return;
  if (report.uptime_s < before.uptime_s || (report.stream || {}).viewers === 0) link.retry(new Error('The stream ended'));
}

// ---- what is known of it ----

export const watchSilence = () => link.watchSilence(isCamera('offline', 'opening', 'idle') ? 6 * SILENCE_MS : SILENCE_MS);

export function watchClock() {
  const jump = clockJump();
  if (!jump) return;
  if (painter.painted) painter.painted.at -= jump;
  if (link.attempt) link.connect();
}

/** Frames a second that this viewer asked for and the server has. Those that its encoders skip are not the link's fault. */
export function wantedRate() {
  return Math.min(link.rate.offeredPerSecond() * server.encodedShare, link.fps || Infinity);
}

/** Seconds since the picture on screen was captured; null while there is none. Of an <img>, the least it can be. */
export function pictureAge() {
  const stream = server.report.stream || {};
  const overdue = Math.max(0, now() - server.at - 2500);   // of the next poll
  if (!link.reads) return stream.age_ms >= 0 ? (stream.age_ms + overdue) / 1000 : null;
  return painter.painted && ageOf(painter.painted);
}

export function setPaused(isPaused) {
  link.pausedAt = isPaused ? now() : 0;
  link.connect();
  link.onChange();
}

server.onReport.push((news) => {
  if (!link.reads) link.heardAt = news.answered;
  watchImage(news);
  if (news.wasGone && link.failure && !link.failure.isRefusal) link.hurry();
});
link.connect();

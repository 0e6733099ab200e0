// The viewer page: reads the stream itself, paints its newest frame and says how old it is.
// An <img> cannot do that: it shows a part only when the next one begins, and never tells
// that the stream has died. Where reading fails, an <img> is what remains, and the page says
// what it then cannot know. From the bytes upwards: parts, painting, the stream and its
// reconnecting, /state, what the page says, buttons, panels, camera controls, keys.
// Written in ES2018 on purpose: old tablets are good wall displays.
'use strict';

const MAX_PART_BYTES = 32 << 20;     // no camera frame is larger: the stream is not what we think
const MAX_HEAD_BYTES = 16 << 10;
const SILENCE_MS = 5000;             // the server repeats a part each second, so this is dead
const BACKOFF_MS = [500, 5000];      // first and longest wait before a reconnect
const HIDDEN_MS = 10000;             // a hidden tab stops its stream after this
const LATE_S = [1, 3];               // age of the picture that turns the badge amber, red
const IN_TIME_S = 0.5;               // and below this it is live again
const WEAK_DBM = -75;                // a Wi-Fi signal below this loses frames
const RATE_WINDOW_MS = 5000;
const RATE_SETTLED_MS = 1900;        // of less, one late frame makes another number
const SLOW_BELOW = [0.7, 0.85];      // share of the frames that arrive: slow below the first, until above the second
const SLOW_AFTER_MS = 4000;          // and only when that has lasted
const PICTURES_ON_THE_WAY = 3;       // one is shown, one arrives and one waits in the network
const READER_MISSES = 2;             // reading failed so often in a row: an <img> takes over
const REFUSALS = [401, 403, 421, 503];   // by these the server says that it gives this viewer no stream
const BROKEN_PICTURES = 5;           // so many in a row cannot be decoded: this browser cannot show them
const CHANGE_MS = 100;               // between two changes of the camera's controls
const HOLD_MS = [400, 80];           // a held button repeats: after, then every

const $ = (id) => document.getElementById(id);
const now = () => performance.now();
const canRead = Boolean(window.createImageBitmap && window.AbortController && window.Response && 'body' in Response.prototype);

// Absolute: a page opened as http://user:password@… may not fetch relative addresses.
const BASE = location.origin + location.pathname.replace(/[^/]*$/, '');
const TOKEN = new URLSearchParams(location.search).get('token');

/** The server's address of `path`, with the token the page was opened with. */
function address(path) {
  return BASE + path + (TOKEN ? (path.includes('?') ? '&' : '?') + 'token=' + encodeURIComponent(TOKEN) : '');
}

// ---- parts: the bytes of the stream, cut by Content-Length ----

const bytesOf = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const PLACEHOLDER = 'camfeed placeholder: ';      // begins the comment of a placeholder, behind SOI and the comment's head
const HEAD_END = bytesOf('\r\n\r\n');

/** Cuts multipart bytes into parts. One buffer for the life of a connection. */
class PartReader {
  constructor(boundary) {
    this.delimiter = bytesOf(boundary.startsWith('--') ? boundary : '--' + boundary);
    this.buffer = new Uint8Array(256 << 10);
    this.start = this.end = 0;       // the bytes not yet used
    this.head = null;                // headers of the part whose body is at `start`
    this.junk = 0;                   // bytes passed over in search of a delimiter
  }

  push(chunk) {
    const held = this.end - this.start;
    if (this.end + chunk.length > this.buffer.length) {
      const need = held + chunk.length;
      const room = need > this.buffer.length ? new Uint8Array(need * 2) : this.buffer;
      room.set(this.buffer.subarray(this.start, this.end));
      Object.assign(this, { buffer: room, start: 0, end: held });
    }
    this.buffer.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** The next complete part or null. Its `jpeg` is a view that the next push() overwrites. */
  next() {
    if (!this.head && !this.readHead()) return null;
    const stop = this.start + this.head.bytes;
    if (stop > this.end) return null;
    const part = Object.assign(this.head, { jpeg: this.buffer.subarray(this.start, stop) });
    Object.assign(this, { start: stop, head: null, junk: 0 });
    return part;
  }

  readHead() {
    const at = this.find(this.delimiter, this.start);
    const kept = at >= 0 ? at : Math.max(this.start, this.end - this.delimiter.length + 1);
    this.junk += kept - this.start;  // a CRLF when all is well
    this.start = kept;
    const stop = at < 0 ? -1 : this.find(HEAD_END, at);
    if (this.junk > MAX_PART_BYTES || (at >= 0 && stop < 0 && this.end - at > MAX_HEAD_BYTES)) throw new Error('The stream is damaged');
    if (stop < 0) return false;
    this.head = parseHead(String.fromCharCode.apply(null, this.buffer.subarray(at, Math.min(stop, at + MAX_HEAD_BYTES))));
    this.start = stop + HEAD_END.length;
    return true;
  }

  find(pattern, from) {
    const bytes = this.buffer;
    for (let i = bytes.indexOf(pattern[0], from); i >= 0 && i + pattern.length <= this.end; i = bytes.indexOf(pattern[0], i + 1)) {
      let n = 1;
      while (n < pattern.length && bytes[i + n] === pattern[n]) n += 1;
      if (n === pattern.length) return i;
    }
    return -1;
  }
}

function parseHead(text) {
  const value = (name) => (new RegExp('^' + name + ':[ \\t]*(\\S+)', 'im').exec(text) || [])[1];
  const bytes = Number(value('content-length'));
  if (!(bytes > 0 && bytes <= MAX_PART_BYTES)) throw new Error('The stream is damaged');
  return { bytes, sequence: value('x-sequence'), timestamp: Number(value('x-timestamp')) || 0 };
}

/** Frames over a sliding window. Their rate goes by capture times where the parts have them: the
    first frames of a connection arrive in a burst, and would look like more than the camera gives. */
class Rate {
  constructor() { this.frames = []; }            // {time: arrival in ms, timestamp, sequence}
  add(time, { timestamp, sequence }) { this.frames.push({ time, timestamp, sequence: Number(sequence) }); this.trim(time); }
  clear() { this.frames.length = 0; }
  trim(time) { while (this.frames.length && time - this.frames[0].time > RATE_WINDOW_MS) this.frames.shift(); }

  /** {gaps, arrived (ms), taken (ms), captured (ms)} from the first to the last frame; null while there are fewer than two. */
  get span() {
    const gaps = this.frames.length - 1;
    if (gaps < 1) return null;
    const [first, last] = [this.frames[0], this.frames[gaps]];
    const arrived = last.time - first.time;
    const taken = 1000 * (last.timestamp - first.timestamp);
    const isPlausible = first.timestamp && taken > arrived / 2 && taken < arrived * 2;    // else a clock has jumped
    return { gaps, arrived, taken: isPlausible ? taken : arrived, captured: taken > 0 ? taken : arrived };
  }

  /** 0 while it is too early to tell, and once the next frame is overdue. */
  perSecond(time) {
    this.trim(time);
    const span = this.span;
    if (!span || span.arrived < RATE_SETTLED_MS) return 0;
    const isOverdue = time - this.frames[span.gaps].time > 1000 + 2 * span.arrived / span.gaps;
    return isOverdue ? 0 : span.gaps * 1000 / span.taken;
  }

  /** The rate of all frames of the camera, those that were not sent here included: by capture times,
      as the first of them may have been on its way through a stall. */
  offeredPerSecond() {
    const span = this.span;
    return span ? (this.frames[span.gaps].sequence - this.frames[0].sequence) * 1000 / span.captured : 0;
  }
}

// ---- painting: never more than one decode at a time, and then the newest frame ----

const painter = { busy: false, waiting: null, painted: null, broken: 0, rate: new Rate() };
const canvas = $('picture');
const brush = canvas.getContext('2d', { alpha: false });

function draw(image, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  brush.drawImage(image, 0, 0);
}

function show(part) {
  const { sequence, timestamp, jpeg } = part;
  const isPlaceholder = String.fromCharCode.apply(null, jpeg.subarray(6, 6 + PLACEHOLDER.length)) === PLACEHOLDER;
  painter.waiting = { sequence, timestamp, at: now(), isPlaceholder, blob: new Blob([jpeg], { type: 'image/jpeg' }) };
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
    } catch (error) { painter.broken += 1; /* the last good one stays, and grows old in plain sight */ }
  }
  painter.busy = false;
}

// ---- the stream: one connection, watched, and made again when it ends ----

const QUICK = { is: false, since: 0 };          // of a connection that is not slow

const link = {
  attempt: null,       // the running request
  phase: 'closed',     // closed, connecting, open (a part has come), waiting (to try again)
  failures: 0, failure: null, timer: 0,
  startedAt: 0, answeredAt: 0, openedAt: 0, heardAt: now(), sequence: null, rate: new Rate(),
  period: 0,           // ms between the frames that arrive
  slow: QUICK,
  reads: canRead,      // the page reads the stream itself; else an <img> plays it
  misses: 0,           // attempts to read in a row that failed although the server answered
  pausedAt: 0, asleep: false,
};

/** The stream's address; `type=bytes` because WebKit takes a multipart answer apart before fetch() sees it. */
function streamUrl(parameters) {
  const rate = $('rate').value;
  return address('stream?' + parameters + (rate ? '&fps=' + rate : ''));
}

function connect() {
  disconnect();
  if (link.pausedAt || link.asleep) return;
  Object.assign(link, { phase: 'connecting', startedAt: now(), heardAt: now(), sequence: null, period: 0, slow: QUICK });
  if (!link.reads) return connectImage();
  const attempt = link.attempt = new AbortController();
  readStream(attempt.signal).catch((error) => { if (link.attempt === attempt) retry(error); });
}

function disconnect() {
  clearTimeout(link.timer);
  if (link.attempt) link.attempt.abort();
  Object.assign(link, { attempt: null, phase: 'closed' });
  link.rate.clear();
  painter.rate.clear();
  Object.assign(painter, { waiting: null, broken: 0 });
}

function retry(error) {
  disconnect();
  const backoff = Math.min(BACKOFF_MS[1], BACKOFF_MS[0] * Math.pow(2, link.failures));
  const wait = Math.max(backoff, error.waitMs || 0) * (0.8 + 0.4 * Math.random());   // not all viewers at once
  Object.assign(link, { phase: 'waiting', failure: error, failures: link.failures + 1, timer: setTimeout(tryAgain, wait) });
  refresh();
}

/** Reading that fails again and again before a first picture, at a server that answers, is given up for an <img>. */
function tryAgain() {
  const isReader = !link.failure.isRefusal && !painter.painted && server.at > link.startedAt;
  link.misses = isReader ? link.misses + 1 : 0;
  if (link.reads && link.misses >= READER_MISSES) {
    link.reads = false;
    toast('This browser plays the stream itself: the page cannot tell how old the picture is, or whether it moves');
  }
  connect();
}

async function readStream(signal) {
  const response = await fetch(streamUrl('type=bytes'), { signal, cache: 'no-store' });
  link.answeredAt = link.heardAt = server.heardAt = now();
  if (!response.ok) throw await refusal(response);
  const boundary = /boundary="?([^";]+)/i.exec(response.headers.get('Content-Type') || '');
  if (!boundary) throw new Error('The answer is not a stream');
  const reader = response.body.getReader();
  const parts = new PartReader(boundary[1]);
  for (;;) {
    const { done, value } = await reader.read();
    if (signal.aborted) return;
    if (done) throw new Error('The stream ended');
    link.heardAt = server.heardAt = now();
    parts.push(value);
    let newest = null;
    for (let part = parts.next(); part; part = parts.next()) if (isFrame(part)) newest = part;
    if (newest) show(newest);
    if (painter.broken >= BROKEN_PICTURES && !painter.painted) throw new Error('The pictures cannot be shown');
  }
}

/** A part that repeats the sequence before it is a keep-alive, not a frame. */
function isFrame(part) {
  Object.assign(link, { phase: 'open', failures: 0, failure: null });
  if (part.sequence !== undefined && part.sequence === link.sequence) return false;
  link.sequence = part.sequence;
  link.rate.add(now(), part);
  const span = link.rate.span;
  link.period = span ? span.arrived / span.gaps : Math.min(SILENCE_MS, now() - link.answeredAt);
  return true;
}

/** Only a plain text is the server's own word; a proxy's HTML page is not. */
async function refusal(response) {
  const isOurs = (response.headers.get('Content-Type') || '').startsWith('text/plain');
  const text = isOurs ? (await response.text()).trim().slice(0, 200) : '';
  const error = new Error(text || 'The server answered ' + response.status);
  error.isRefusal = Boolean(text) && REFUSALS.includes(response.status);
  error.waitMs = 1000 * Math.min(30, Number(response.headers.get('Retry-After')) || 0);
  return error;
}

/** Keeps what the <img> shows on the canvas. A placeholder has no mark there: the camera's state must do. */
function freezeImage(image) {
  draw(image, image.naturalWidth, image.naturalHeight);
  painter.painted = { at: now(), timestamp: 0, blob: null, isPlaceholder: !isCamera('online') };
}

/** Where the page cannot read the stream: a plain <img>, its health told by /state. */
function connectImage() {
  const image = $('fallback');
  const freeze = () => {
    if (image.naturalWidth) freezeImage(image);
    image.removeAttribute('src');
    image.hidden = true;
  };
  const attempt = link.attempt = { abort: freeze };
  image.onload = () => {
    if (link.phase !== 'open') Object.assign(link, { phase: 'open', openedAt: now(), failures: 0, failure: null });
    image.hidden = false;
  };
  image.onerror = () => { if (link.attempt === attempt) retry(new Error('The stream ended')); };
  image.src = streamUrl('t=' + Date.now());
}

/** An <img> does not tell when its stream ends: another start of the server has ended it, and one without viewers has none. */
function watchImage(before, report, asked) {
  if (link.reads || link.phase !== 'open' || asked < link.openedAt) return;
  if (report.uptime_s < before.uptime_s || (report.stream || {}).viewers === 0) retry(new Error('The stream ended'));
}

function watchSilence() {
  const limit = isCamera('offline', 'opening', 'idle') ? 6 * SILENCE_MS : SILENCE_MS;
  if (link.attempt && now() - link.heardAt > limit) retry(new Error('The stream fell silent'));
}

/** Notes whether clearly fewer frames arrive than this viewer could have, for seconds on end. */
function watchPace() {
  const received = link.rate.perSecond(now());
  if (!received) return;                         // too early to tell, or silent: as it was
  const wanted = wantedRate();
  const { is, since } = link.slow;
  const isSlow = received < SLOW_BELOW[Number(is)] * wanted;
  const isOther = isSlow !== is;
  const hasLasted = isOther && since > 0 && now() - since > SLOW_AFTER_MS;
  link.slow = { is: hasLasted ? isSlow : is, since: isOther && !hasLasted ? since || now() : 0, rates: isSlow ? ': ' + rateText(received) + ' of ' + rateText(wanted) + ' fps' : '' };
}

/** Frames a second that this viewer asked for and the server has. Those that its encoders skip are not the link's fault. */
function wantedRate() {
  const offered = link.rate.offeredPerSecond() * server.encodedShare;
  return Math.min(offered, Number($('rate').value) || Infinity);
}

function setPaused(isPaused) {
  link.pausedAt = isPaused ? now() : 0;
  const word = isPaused ? 'Resume' : 'Pause';
  $('pause').setAttribute('aria-label', word);
  $('pause').title = word + ' (Space)';
  $('pause-text').textContent = word;
  connect();
  refresh();
}

function setAsleep(isAsleep) {
  link.asleep = isAsleep;
  if (isAsleep) disconnect();
  else if (link.phase === 'closed' || link.phase === 'waiting') connect();
  if (!isAsleep) pollState();
}

// ---- /state: the camera, the viewers, and the server's clock ----

const server = { report: {}, at: -Infinity, heardAt: now(), timer: 0, isAsking: false, clock: null, encodedShare: 1 };

const cameraNow = () => server.report.camera || {};
const isFresh = () => now() - server.at < SILENCE_MS;
const isCamera = (...states) => isFresh() && states.includes(cameraNow().state);

async function pollState() {
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
  server.timer = setTimeout(pollState, { live: 2000, slow: 2000, paused: 10000, idle: 400, opening: 400 }[document.body.dataset.state] || 1000);
  refresh();
}

/** A fetch that gives up: the connection may be dead, or all six of the browser taken by streams. */
async function ask(path, options) {
  const stopper = canRead ? new AbortController() : { abort() {} };
  const limit = setTimeout(() => stopper.abort(), 5000);
  try {
    return await fetch(address(path), Object.assign({ cache: 'no-store', signal: stopper.signal }, options));
  } finally { clearTimeout(limit); }
}

function takeReport(report, asked, answered) {
  const wasGone = answered - server.heardAt > 2000;
  const before = server.report;
  if (!link.reads) link.heardAt = answered;
  server.encodedShare = encodedShare(before.camera || {}, report.camera || {});
  Object.assign(server, { report, at: answered, heardAt: answered });
  fillAddresses((report.access || {}).password === true);
  if (report.now) setClock(report.now - (asked + answered) / 2000, (answered - asked) / 1000);
  watchImage(before, report, asked);
  if (wasGone && link.phase === 'waiting' && !(link.failure || {}).isRefusal) connect();
  if (!isCamera('online')) return;
  if (isAnotherStart(before, report) || controls.isDue) readControls();
}

/** The share of the camera's pictures between two reports that its encoders had time for. */
function encodedShare(before, after) {
  const captured = after.captured - before.captured;
  const skipped = after.skipped - before.skipped;
  return captured > 0 && skipped > 0 ? Math.max(0, 1 - skipped / captured) : 1;
}

/** The camera of `after`, which is online, was not in `before`, or went and came back between the two. */
function isAnotherStart(before, after) {
  const was = before.camera || {};
  const is = after.camera;
  const started = (report) => report.uptime_s - report.camera.since_s;
  return was.state !== 'online' || is.source !== was.source || is.since_s < was.since_s || Math.abs(started(after) - started(before)) > 0.1;
}

/** Keeps the estimate with the shortest round trip, until it is old or the server's clock has jumped. */
function setClock(offset, trip) {
  const best = server.clock;
  const hasJumped = best && Math.abs(offset - best.offset) > (trip + best.trip) / 2 + 0.05;
  if (!best || trip <= best.trip || hasJumped) server.clock = { offset, trip };
  else best.trip *= 1.1;
}

/** Seconds since the picture on screen was captured; null while there is none. Of an <img>, the least it can be. */
function pictureAge() {
  const stream = server.report.stream || {};
  const overdue = Math.max(0, now() - server.at - 2500);   // of the next poll
  if (!link.reads) return stream.age_ms >= 0 ? (stream.age_ms + overdue) / 1000 : null;
  const part = painter.painted;
  if (!part) return null;
  if (!part.timestamp || !server.clock) return (now() - part.at) / 1000;
  return Math.max(0, now() / 1000 + server.clock.offset - part.timestamp);
}

// ---- what the page says ----

function span(seconds) {
  if (seconds < 120) return Math.floor(seconds) + ' s';
  return seconds < 7200 ? Math.floor(seconds / 60) + ' min' : Math.floor(seconds / 3600) + ' h';
}
const ageText = (age) => age < 10 ? age.toFixed(1) + ' s' : span(age);
const rateText = (rate) => rate >= 9.5 ? String(Math.round(rate)) : String(Number(rate.toFixed(1)));

const withoutNumbers = (label) => label.replace(/:? \d.*/, '');

/** At one frame a second, a picture one second old is as live as it gets; where fewer frames arrive
    than were asked for, so is one that was on its way for as long as they take. */
function liveAge() {
  const rates = [Number($('rate').value), cameraNow().fps].filter((fps) => fps > 0);
  const asked = rates.length ? 1 / Math.min.apply(null, rates) : 0;
  return asked + PICTURES_ON_THE_WAY * Math.max(0, link.period / 1000 - asked);
}

/** The state of it all, most telling cause first: {state, tone, label, title, text, mark}. */
function judge() {
  const camera = cameraNow();
  const silence = now() - server.heardAt;
  if (link.pausedAt) {
    const label = 'Paused ' + span((now() - link.pausedAt) / 1000);
    return { state: 'paused', tone: 'quiet', label, mark: label };
  }
  if (link.asleep) return { state: 'hidden', tone: 'quiet', label: 'Resting' };
  if (isCamera('offline') && silence < SILENCE_MS) {
    const since = camera.since_s >= 0 ? ' ' + span(camera.since_s + (now() - server.at) / 1000) : '';
    const text = (camera.reason || 'no picture from the camera') + '\nThe picture returns by itself';
    return { state: 'offline', tone: 'bad', label: 'Camera offline' + since, title: 'The camera is gone', text };
  }
  if (link.failure && link.failure.isRefusal) {
    const text = link.failure.message + '\nTrying again…';
    return { state: 'refused', tone: 'bad', label: 'No stream', title: 'No stream for now', text };
  }
  if (link.failures || (link.phase !== 'open' && silence > 2000)) {
    return { state: 'reconnecting', tone: 'bad', label: 'Reconnecting…', title: 'Reconnecting…', text: outageText(silence / 1000) };
  }
  if (isCamera('idle')) {
    return { state: 'idle', tone: 'quiet', label: 'Waking camera', title: 'Waking the camera…', text: 'It rests while nobody watches' };
  }
  if (link.phase !== 'open') {
    return { state: 'connecting', tone: 'quiet', label: 'Connecting…', title: painter.painted ? '' : 'Connecting…' };
  }
  return judgePicture(camera, pictureAge());
}

function judgePicture(camera, age) {
  if (camera.state === 'opening' || age === null) {
    return { state: 'opening', tone: 'quiet', label: 'Opening camera', title: 'Opening the camera…', text: camera.reason };
  }
  if (camera.frozen && isFresh()) {
    return { state: 'frozen', tone: 'warn', label: 'Frozen', mark: 'The camera keeps sending the same picture' };
  }
  const late = age - liveAge();
  if (late > (document.body.dataset.state === 'stale' ? IN_TIME_S : LATE_S[0])) {
    const tone = late > LATE_S[1] ? 'bad' : 'warn';
    return { state: 'stale', tone, label: 'Not live', mark: 'This picture is ' + ageText(age) + ' old' };
  }
  if (link.slow.is) return { state: 'slow', tone: 'warn', label: 'Slow connection' + link.slow.rates };
  if (camera.fallback) return { state: 'live', tone: 'warn', label: 'No camera' };   // the test pattern itself says the rest
  if (!link.reads) return { state: 'live', tone: 'quiet', label: 'Playing' };         // whether it is live cannot be told
  return { state: 'live', tone: 'good', label: 'Live' };
}

function outageText(silence) {
  if (navigator.onLine === false) return 'This device has no network';
  if (silence >= 2) return 'No answer from the server for ' + span(silence);
  return link.failure ? wordsOf(link.failure, 'The connection was lost') : 'The connection was lost';
}

/** Our own or the server's words; not the browser's, such as "Failed to fetch". */
const wordsOf = (error, otherwise = 'no answer from the server') => error.name === 'Error' ? error.message : otherwise;

/** Writes only what changed; an empty text hides the element. */
function say(id, text) {
  const element = $(id);
  if (element.dataset.said === text) return;
  element.dataset.said = text;
  element.hidden = !text;
  write(element, text);
}

function write(element, text) {
  element.textContent = '';
  text.split('`').forEach((piece, i) => {          // `value` as in the server's messages
    const node = i % 2 ? document.createElement('code') : new Text();
    node.textContent = piece;
    element.append(node);
  });
}

let spokenBefore = '';
let announced = 'Connecting…';

function refresh() {
  watchPace();
  const view = judge();
  const hasChanged = document.body.dataset.state !== view.state;
  Object.assign(document.body.dataset, { state: view.state, tone: view.tone });
  say('label', view.label);
  say('mark', view.mark || '');
  say('notice-title', view.title || '');
  say('notice-text', view.text || '');
  $('notice').hidden = !view.title && !view.text;
  sayFacts(view.state);
  sayCamera(view.state);
  say('health', isFresh() ? complaints(server.report.health || {}) : '');
  sayControls(view.state);
  // Spoken without its seconds, and only once it has lasted.
  const spoken = [withoutNumbers(view.label), (view.text || '').replace(/ for \d.*/, '')].filter(Boolean).join('. ');
  if (spoken === spokenBefore && spoken !== announced) $('announce').textContent = announced = spoken;
  spokenBefore = spoken;
  if (hasChanged) pollState();       // the server may know why
}

function sayFacts(state) {
  const isRunning = ['live', 'slow', 'stale', 'frozen'].includes(state);
  const received = link.rate.perSecond(now());
  const shown = painter.rate.perSecond(now());
  const age = pictureAge();
  const viewers = Math.max(1, (server.report.stream || {}).viewers);   // we are one, whatever the last poll said
  const isSettled = link.rate.frames.length && now() - link.rate.frames[0].time > RATE_WINDOW_MS - 1000;   // the first frames come in a burst
  const isBehind = isSettled && shown < 0.8 * received && received - shown > 1;
  say('fps', isRunning && state !== 'slow' && received ? (isBehind ? rateText(shown) + ' of ' : '') + rateText(received) + ' fps' : '');
  say('age', isRunning && state !== 'frozen' && age !== null ? (link.reads ? ageText(age) + ' old' : 'age unknown') : '');
  say('viewers', isRunning && viewers ? viewers + (viewers === 1 ? ' viewer' : ' viewers') : '');
  if (painter.painted) canvas.dataset.sequence = painter.painted.sequence;
}

/** What ails the server's machine, a line each; what it does not know is not said. */
function complaints(health) {
  return [
    health.under_voltage && 'Under-voltage: use a better power supply',
    health.throttled && !health.under_voltage && 'Too hot: the processor is slowed down',   // too little power slows it down as well
    health.wifi_signal_dbm < WEAK_DBM && 'Weak Wi-Fi: ' + health.wifi_signal_dbm + ' dBm',
  ].filter(Boolean).join('\n');
}

function sayCamera(state) {
  const { name, version } = server.report;
  const camera = cameraNow();
  const size = camera.width && camera.height ? camera.width + '×' + camera.height + ' ' : '';
  say('name', name || '');
  say('about', [camera.source, size + (camera.format || ''), version && 'camfeed ' + version].filter((text) => text && text.trim()).join(' · '));
  const title = (state === 'live' && !camera.fallback ? '' : withoutNumbers($('label').textContent) + ' – ') + (name || 'camfeed');
  if (document.title !== title) document.title = title;
}

function toast(text) {
  write($('toast'), text);
  $('toast').classList.add('shown');
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $('toast').classList.remove('shown'); $('toast').textContent = ''; }, 5000);
}

// ---- buttons ----

async function saveSnapshot() {
  const button = $('snapshot');
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  try {
    const { blob, name } = link.pausedAt ? await pausedPicture() : await newestPicture();
    saveBlob(blob, name);
    toast('Saved ' + name);
  } catch (error) {
    toast('No snapshot: ' + wordsOf(error));
  }
  button.removeAttribute('aria-busy');
}

async function newestPicture() {
  const response = await ask('snapshot.jpg');
  if (!response.ok) throw await refusal(response);
  const named = /filename="?([^";]+)/i.exec(response.headers.get('Content-Disposition') || '');
  return { blob: await response.blob(), name: named ? named[1] : fileName(Date.now()) };
}

/** The picture on the screen, under its own time: the bytes as they came; of an <img> its pixels as they were painted. */
async function pausedPicture() {
  const { painted } = painter;
  if (!painted) throw new Error('there is no picture on the screen');
  if (painted.isPlaceholder) throw new Error('there was no live picture to pause on');
  const time = painted.timestamp ? 1000 * painted.timestamp : Date.now() - now() + painted.at;
  const blob = painted.blob || await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.95));
  return { blob, name: fileName(time) };
}

/** As the server names its snapshots; `time` in ms since 1970. */
function fileName(time) {
  const millis = Math.floor(time + 0.001);       // seconds.micros times 1000 may be a hair too small
  return 'camfeed-' + new Date(millis).toISOString().replace(/[-:]/g, '') + '.jpg';
}

function saveBlob(blob, name) {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 30000);
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (document.fullscreenEnabled) document.documentElement.requestFullscreen();   // the panels too
}

function wakeBar() {
  const isFull = Boolean(document.fullscreenElement);
  document.body.classList.toggle('full', isFull);
  document.body.classList.remove('at-rest');
  clearTimeout(wakeBar.timer);
  if (isFull) wakeBar.timer = setTimeout(() => document.body.classList.add('at-rest'), 3000);
}

function setUpRate() {
  const key = 'camfeed-fps';
  try { $('rate').value = localStorage.getItem(key) || ''; } catch (error) { /* storage is blocked: full rate */ }
  if ($('rate').selectedIndex < 0) $('rate').value = '';
  let isPointed = false;
  $('rate').addEventListener('pointerdown', () => { isPointed = true; });
  $('rate').addEventListener('keydown', () => { isPointed = false; });
  $('rate').addEventListener('change', () => {
    try { localStorage.setItem(key, $('rate').value); } catch (error) { /* not remembered then */ }
    if (isPointed) $('rate').blur();             // as onPointerClick
    connect();
  });
}

// ---- panels: the controls and the addresses, one at a time ----

const PANELS = ['controls', 'addresses'];
let opener = document.body;          // had the focus when a panel was opened

/** Opens this one and closes the other; '' only closes. The focus goes to its heading, where Space still means
    pause and Tab comes to its first button; and from a panel that closes to where it was before. */
function showPanel(name) {
  const before = PANELS.find((id) => $(id).open) || '';
  if (name === before) return;
  const wasInside = before && $(before).contains(document.activeElement);
  if (!before) opener = document.activeElement;
  PANELS.forEach((id) => {
    $(id).open = id === name;
    $('toggle-' + id).setAttribute('aria-expanded', String(id === name));
  });
  document.body.classList.toggle('with-panel', Boolean(name));
  if (name) $(name).querySelector('h2').focus({ preventScroll: true });
  else if (wasInside) focusOn(opener);
  scrollTo(0, 0);
  if (name === 'controls') readControls();
}

function focusOn(element) {
  document.activeElement.blur();
  element.focus({ preventScroll: true });        // nothing, when it is the body or gone
}

function togglePanel(name) {
  if (!$('toggle-' + name).hidden) showPanel($(name).open ? '' : name);
  else toast(whyNoControls());
}

function whyNoControls() {
  if (controls.areOff) return 'Camera controls are switched off here';
  return isCamera('online') && !cameraNow().fallback ? 'This camera has no controls' : 'No camera now, and so no controls';
}

// ---- camera controls: read when the camera comes; a change is sent as it is made ----

const controls = {
  rows: new Map(),     // by name, in the camera's order
  shape: '',           // all but the values: rows are made anew only when it changes
  wanted: {},          // values not yet sent, by name
  isDue: false,        // to be read
  isBusy: false,
  areOff: false,       // the server does not let them be seen
};

function readControls() {
  controls.isDue = true;
  if (cameraNow().state === 'online') syncControls();    // otherwise when it is back
}

/** One request at a time, CHANGE_MS apart, each with the newest values: a slider cannot flood the server. */
async function syncControls() {
  if (controls.isBusy) return;
  controls.isBusy = true;
  for (;;) {
    const changes = Object.keys(controls.wanted).length ? controls.wanted : null;
    if (!changes && !controls.isDue) break;
    if (changes) controls.wanted = {}; else controls.isDue = false;
    try {
      takeControls(await askControls(changes));
    } catch (error) {
      controls.isDue = true;                 // after a refused change: where do they stand?
      if (!changes) break;                   // the next report of an online camera tries again
      toast('Not changed: ' + wordsOf(error));
    }
    await new Promise((resolve) => setTimeout(resolve, CHANGE_MS));
  }
  controls.isBusy = false;
}

async function askControls(changes) {
  const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(changes) };
  const response = await ask('controls', changes ? post : {});
  if (!changes) controls.areOff = response.status >= 400 && response.status < 500;
  if (response.ok) return (await response.json()).controls || [];
  if (controls.areOff && !changes) return [];
  throw await refusal(response);
}

function takeControls(all) {
  const known = all.filter(({ type }) => ['integer', 'decimal', 'boolean', 'menu'].includes(type));
  const shape = JSON.stringify(known.map(({ value, is_inactive, ...rest }) => rest));
  if (shape !== controls.shape) {
    controls.shape = shape;
    controls.rows = new Map(known.map((control) => [control.name, new ControlRow(control)]));
    $('control-rows').textContent = '';
    controls.rows.forEach((row) => $('control-rows').append(row.element));
  }
  known.forEach((control) => {
    const { name } = control;
    controls.rows.get(name).show(name in controls.wanted ? Object.assign(control, { value: controls.wanted[name] }) : control);
  });
  $('toggle-controls').hidden = $('key-controls').hidden = !known.length;
  if (!known.length && $('controls').open) showPanel('');
}

const isNumber = ({ type }) => type === 'integer' || type === 'decimal';

/** A control on the page. */
class ControlRow {
  constructor(control) {
    this.element = document.importNode($('control-row').content, true).firstElementChild;
    this.element.dataset.control = control.name;
    const type = isNumber(control) ? 'number' : control.type;
    this.all('[data-type]').forEach((part) => { if (part.dataset.type !== type) part.remove(); });
    this.control = control;
    this.input = this.one('input, select');
    this.input.id = 'control-' + control.name;
    this.one('label').htmlFor = this.input.id;
    this.one('label').textContent = control.title || control.name;
    this.touch = null;               // a finger on the slider: {before, inputs}
    this.input.addEventListener('input', () => this.onInput());
    this.one('.reset').title = 'Back to the default';
    this.one('.reset').setAttribute('aria-label', 'Reset ' + this.one('label').textContent);
    this.one('.reset').addEventListener('click', (event) => {
      this.set(control.default);
      if (!event.detail) this.input.focus({ preventScroll: true });    // the button goes away
    });
    if (control.type === 'menu') (control.menu || []).forEach(({ value, title }) => this.input.append(new Option(title, value)));
    if (isNumber(control)) this.makeSlider();
  }

  one(selector) { return this.element.querySelector(selector); }
  all(selector) { return this.element.querySelectorAll(selector); }

  makeSlider() {
    const { min, max, step } = this.control;
    Object.assign(this.input, { min, max, step: step || 1 });
    const nudge = (steps) => { this.input[steps < 0 ? 'stepDown' : 'stepUp'](); this.set(this.read()); };
    onHold(this.one('.less'), () => nudge(-1));
    onHold(this.one('.more'), () => nudge(1));
    const listen = (name, action) => this.input.addEventListener(name, action);
    listen('pointerdown', (event) => { this.touch = event.pointerType === 'touch' ? { before: this.control.value, inputs: 0 } : null; });
    listen('pointerup', () => this.endTouch(true));
    listen('pointercancel', () => this.endTouch(false));
  }

  /** A finger that only scrolls past has already moved the thumb to itself: its first value waits for what it does next. */
  onInput() {
    const value = this.read();
    if (this.touch && (this.touch.inputs += 1) === 1) this.show(Object.assign({}, this.control, { value }));
    else this.set(value);
  }

  endTouch(isMeant) {
    const { before, inputs } = this.touch || { inputs: 0 };
    this.touch = null;
    if (inputs === 1 && isMeant) this.set(this.read());
    if (inputs === 1 && !isMeant) this.show(Object.assign({}, this.control, { value: before }));
    if (inputs > 1 && !isMeant) this.set(before);
  }

  read() {
    if (this.control.type !== 'boolean') return Number(this.input.value);
    return typeof this.control.value === 'boolean' ? this.input.checked : Number(this.input.checked);
  }

  set(value) {
    controls.wanted[this.control.name] = value;
    this.show(Object.assign(this.control, { value }));
    Promise.resolve().then(syncControls);    // once for all that are set together
  }

  get isChanged() { return this.control.default !== undefined && Number(this.control.value) !== Number(this.control.default); }

  show(control) {
    this.control = control;
    if (control.type === 'boolean') this.input.checked = Boolean(control.value);
    else this.input.value = control.value;
    const isInactive = Boolean(control.is_inactive);
    this.element.classList.toggle('inactive', isInactive);
    this.element.title = isInactive ? 'Another control decides this now' : '';
    this.all('input, select, button').forEach((part) => { part.disabled = isInactive; });
    this.one('.reset').hidden = isInactive || !this.isChanged;
    if (isNumber(control)) this.showSlider(control);
  }

  showSlider({ min, max, value }) {
    const at = (number) => 100 * (number - min) / (max - min || 1) + '%';
    const line = (selector, x1, x2) => { this.one(selector).setAttribute('x1', at(x1)); this.one(selector).setAttribute('x2', at(x2)); };
    const origin = this.control.default === undefined ? min : this.control.default;
    this.one('output').value = value;
    line('.default', origin, origin);
    line('.change', origin, value);
    if (value <= min) this.one('.less').disabled = true;
    if (value >= max) this.one('.more').disabled = true;
  }
}

/** Once at a click, and again and again while it is held. */
function onHold(button, action) {
  let timer = 0;
  let wasHeld = false;
  const stop = () => clearTimeout(timer);
  const again = () => {
    if (button.matches(':disabled') || !button.isConnected) return;   // it would not hear of the release
    wasHeld = true;
    action();
    timer = setTimeout(again, HOLD_MS[1]);
  };
  button.addEventListener('pointerdown', () => { stop(); wasHeld = false; timer = setTimeout(again, HOLD_MS[0]); });
  ['pointerup', 'pointerleave', 'pointercancel'].forEach((end) => button.addEventListener(end, stop));
  button.addEventListener('click', (event) => { if (!wasHeld || !event.detail) action(); });   // a key has no detail
}

function resetControls() {
  controls.rows.forEach((row) => { if (row.isChanged && !row.control.is_inactive) row.set(row.control.default); });
}

function sayControls(state) {
  const isAway = cameraNow().state !== 'online' || state === 'reconnecting';
  $('controls-box').disabled = isAway;
  say('controls-note', isAway ? 'No camera now: its controls return with it.' : '');
  $('reset-controls').hidden = !Array.from(controls.rows.values()).some((row) => row.isChanged && !row.control.is_inactive);
}

// ---- keys, the window, and the start ----

function onKey(event) {
  wakeBar();
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.target.closest('select')) return;
  const key = event.key.toLowerCase();
  const isOnButton = Boolean(event.target.closest('button, summary, a, [type="checkbox"]'));
  if (key === ' ' && !isOnButton) { event.preventDefault(); setPaused(!link.pausedAt); }
  else if (key === 's') saveSnapshot();
  else if (key === 'f') toggleFullScreen();
  else if (key === 'c') togglePanel('controls');
  else if (key === '?') togglePanel('addresses');
  else if (key === 'escape') showPanel('');
}

const onClick = (id, action) => $(id).addEventListener('click', action);

/** A button clicked with the mouse gives the focus back before it acts, so that Space still means pause. */
function onPointerClick(event) {
  if (event.detail && event.target.closest('button, [type="checkbox"]')) document.activeElement.blur();   // a key has no detail
}

function onVisibility() {
  clearTimeout(onVisibility.timer);
  if (document.hidden) onVisibility.timer = setTimeout(() => setAsleep(true), HIDDEN_MS);
  else setAsleep(false);
}

function start() {
  document.documentElement.classList.add('js');
  setUpRate();
  setUpAddresses();
  $('fullscreen').hidden = !document.fullscreenEnabled;   // an iPhone has none
  onClick('snapshot', saveSnapshot);
  onClick('pause', () => setPaused(!link.pausedAt));
  onClick('fullscreen', toggleFullScreen);
  PANELS.forEach((name) => {
    onClick('toggle-' + name, () => togglePanel(name));
    onClick('close-' + name, () => showPanel(''));
  });
  onClick('reset-controls', resetControls);
  document.addEventListener('click', onPointerClick, true);
  document.addEventListener('keydown', onKey);
  document.addEventListener('pointermove', wakeBar);
  document.addEventListener('fullscreenchange', wakeBar);
  document.addEventListener('visibilitychange', onVisibility);
  window.addEventListener('online', () => { if (link.phase === 'waiting') connect(); });
  window.addEventListener('pagehide', disconnect);
  window.addEventListener('pageshow', (event) => { if (event.persisted) onVisibility(); });
  setInterval(() => { watchSilence(); refresh(); }, 250);
  if (document.hidden) link.asleep = true;       // opened in the background: wait to be looked at
  connect();
  pollState();
}

start();

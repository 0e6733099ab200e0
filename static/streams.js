// The pictures of the cameras in sight, over one connection: reads it, and makes a new one when it ends or when other
// cameras come into sight. Where the page cannot read a stream, it asks for snapshots in turn.
// Loaded before the rest and starts by itself, so that the first pictures are on their way early.

import { isPlaceholder } from './parts.js';
import { SILENCE_MS, address, canRead, joinWindows, leaveWindows, now, readStream, remembered, waitAfter } from './server.js';

const SETTLE_MS = 150;               // while the viewer scrolls, the connection stays as it is
const MOST_AT_FULL_RATE = 4;         // more cameras than that are asked for fewer frames: a small computer has to decode them all
const FPS_OF_MANY = 10;
const MOST_DECODES = 3;              // at a time
const SNAPSHOT_MS = 1000;            // between two of one camera

/** Their names, as the server put them into the page. */
export const cameras = document.body.dataset.cameras.split(' ').filter(Boolean);

export const link = {
  attempt: null,       // the running request
  phase: 'closed',     // closed, connecting, open (a part has come), waiting (to try again), full (too many windows)
  failures: 0, failure: null, timer: 0,
  heardAt: now(),
  names: [],           // of the cameras to ask for
  settling: 0,
  fps: 0,              // asked for, of each; 0: all
  partAt: 0,           // when the part began that is arriving
  asleep: document.hidden,
  onPart: () => true,  // called with each part and the ms that it took to arrive; says whether it is a new picture
  onEnd: () => {},     // the connection has failed, or ends
  onChange: () => {},
};

/** From now on these cameras, as soon as the viewer has stopped scrolling. */
export function ask(names) {
  if (names.join() === link.names.join()) return;
  link.names = names;
  clearTimeout(link.settling);
  link.settling = setTimeout(askOthers, SETTLE_MS);
}

/** An attempt that waits asks for them when its time comes. */
function askOthers() {
  if (link.phase !== 'waiting' && link.phase !== 'full') connect();
}

export function connect() {
  disconnect();
  if (link.asleep || !link.names.length) return leaveWindows();
  joinWindows({ onFull, onRoom: connect });
  Object.assign(link, { phase: 'connecting', heardAt: now(), partAt: 0, fps: link.names.length > MOST_AT_FULL_RATE ? FPS_OF_MANY : 0 });
  const attempt = link.attempt = canRead ? new AbortController() : { abort() {} };
  const path = 'streams?type=bytes&cameras=' + link.names.join() + (link.fps ? '&fps=' + link.fps : '');
  const ending = canRead ? readStream(path, attempt.signal, onBytes) : takeSnapshots(attempt);
  ending.catch((error) => { if (link.attempt === attempt) retry(error); });
}

function disconnect() {
  clearTimeout(link.timer);
  clearTimeout(link.settling);
  if (link.attempt) link.attempt.abort();
  Object.assign(link, { attempt: null, phase: 'closed' });
}

/** Five older windows of this browser have a stream: this one gives its connection back. */
function onFull() {
  disconnect();
  link.phase = 'full';
  end();
}

function end() {
  link.onEnd();
  link.onChange();
}

function retry(error) {
  disconnect();
  Object.assign(link, { phase: 'waiting', failure: error, failures: link.failures + 1, timer: setTimeout(connect, waitAfter(link.failures, error)) });
  end();
}

/** Until the page is shown again. */
export function rest() {
  disconnect();
  leaveWindows();
  end();
}

export function setAsleep(isAsleep) {
  link.asleep = isAsleep;
  if (isAsleep) rest();
  else if (link.phase === 'closed' || link.phase === 'waiting') connect();
}

/** `isUp`: at least one of the cameras is; without, parts are rare. */
export function watchSilence(isUp) {
  if (link.attempt && now() - link.heardAt > (isUp ? SILENCE_MS : 6 * SILENCE_MS)) retry(new Error('The stream fell silent'));
}

/** Of each camera only the newest of the parts that have come together is shown. */
function onBytes(parts) {
  link.heardAt = now();
  const newest = new Map();
  for (let part = parts.next(); part; part = parts.next()) {
    Object.assign(link, { phase: 'open', failures: 0, failure: null });
    if (link.onPart(part, link.partAt && now() - link.partAt)) newest.set(part.camera, part);
    link.partAt = 0;
  }
  newest.forEach(({ camera, sequence, timestamp, jpeg }) => {
    show(camera, { sequence, timestamp, at: now(), isPlaceholder: isPlaceholder(jpeg), blob: new Blob([jpeg], { type: 'image/jpeg' }) });
  });
  if (parts.head) link.partAt = link.partAt || now();
}

// ---- painting: few decodes at a time, one of each camera, and then its newest frame ----

export const painter = { waiting: new Map(), busy: new Set(), onImage: null };   // called with a camera's name, an image and its part

function show(camera, part) {
  painter.waiting.set(camera, part);
  paintNext();
}

/** Pictures wait until there is somebody to show them. */
function paintNext() {
  if (!painter.onImage) return;
  const camera = Array.from(painter.waiting.keys()).find((name) => !painter.busy.has(name));
  if (camera !== undefined && painter.busy.size < MOST_DECODES) paint(camera);
}

async function paint(camera) {
  const part = painter.waiting.get(camera);
  painter.waiting.delete(camera);
  painter.busy.add(camera);
  try {
    const image = await createImageBitmap(part.blob);
    painter.onImage(camera, image, part);
    image.close();
  } catch (error) { /* the last good one stays, and grows old in plain sight */ }
  painter.busy.delete(camera);
  paintNext();
}

// ---- where the page cannot read a stream: a snapshot of each camera, one after the other ----

async function takeSnapshots(attempt) {
  while (link.attempt === attempt) {
    const began = now();
    for (const name of link.names) {
      await takeSnapshot(name, attempt);
      if (link.attempt !== attempt) return;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(50, began + SNAPSHOT_MS - now())));
  }
}

/** A camera without a picture has none; its state says why. */
function takeSnapshot(camera, attempt) {
  return new Promise((resolve) => {
    const image = new Image();
    image.onerror = resolve;
    image.onload = () => {
      resolve();
      if (link.attempt !== attempt) return;
      const part = { camera, sequence: undefined, timestamp: 0, at: now(), isPlaceholder: false };
      Object.assign(link, { phase: 'open', heardAt: now(), failures: 0, failure: null });
      if (link.onPart(part, 0)) painter.onImage(camera, image, part);
    };
    image.src = address(camera + '/snapshot.jpg?t=' + Date.now());
  });
}

link.names = cameras.includes(remembered('view')) ? [remembered('view')] : cameras;
connect();

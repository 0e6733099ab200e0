// The pictures of the cameras in sight, over one connection, which is made anew when others come into sight.
// begin-all.js loads it before the rest; it starts by itself, so that the first pictures are on their way early.

import { isPlaceholder } from './parts.js';
import { Link, address, canRead, now, remembered } from './server.js';

const SETTLE_MS = 150;               // while the viewer scrolls, the connection stays as it is
const MOST_AT_FULL_RATE = 4;         // more cameras than that are asked for fewer frames: a small computer has to decode them all
const FPS_OF_MANY = 10;
const MOST_DECODES = 3;              // at a time
const SNAPSHOT_MS = 1000;            // between two of one camera

/** Their names, as the server put them into the page. */
export const cameras = document.body.dataset.cameras.split(' ').filter(Boolean);

export const link = new Link({
  names: [],           // of the cameras to ask for
  settling: 0,
  fps: 0,              // asked for, of each; 0: all
  isWanted: () => link.names.length > 0,
  begin() {
    link.fps = link.names.length > MOST_AT_FULL_RATE ? FPS_OF_MANY : 0;
    if (canRead) link.read('streams?type=bytes&cameras=' + link.names.join() + (link.fps ? '&fps=' + link.fps : ''));
    else takeSnapshots();
  },
  onBytes,
  onPart: () => true,  // called with each part and the ms that it took to arrive; says whether it is a new picture
});

/** From now on these cameras, as soon as the viewer has stopped scrolling. An attempt that waits asks for them when its time comes. */
export function ask(names) {
  if (names.join() === link.names.join()) return;
  link.names = names;
  clearTimeout(link.settling);
  link.settling = setTimeout(() => { if (link.phase !== 'waiting' && link.phase !== 'full') link.connect(); }, SETTLE_MS);
}

/** Of each camera only the newest of the parts that have come together is shown. */
function onBytes(parts) {
  const newest = new Map();
  for (let part = parts.next(); part; part = parts.next()) {
    if (link.onPart(part, link.open())) newest.set(part.camera, part);
  }
  newest.forEach(({ camera, sequence, timestamp, jpeg }) => {
    show(camera, { sequence, timestamp, at: now(), isPlaceholder: isPlaceholder(jpeg), blob: new Blob([jpeg], { type: 'image/jpeg' }) });
  });
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

async function takeSnapshots() {
  const attempt = link.attempt = { abort() {} };
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
      link.heardAt = now();
      if (link.onPart(part, link.open())) painter.onImage(camera, image, part);
    };
    image.src = address(camera + '/snapshot.jpg?t=' + Date.now());
  });
}

link.names = cameras.includes(remembered('view')) ? [remembered('view')] : cameras;
link.connect();

// The picture as this viewer wants it: zoomed and moved, turned and mirrored, and in a window of its own.
// Nothing of it reaches the server: a snapshot is always the whole picture.

import { $, say, toast, toggleFullScreen } from './page.js';
import { link, painter } from './player.js';
import { address, remember, remembered } from './server.js';
import { tick, view } from './view.js';

const MAX_ZOOM = 8;
const KEY_ZOOM = 1.5;                // by a key or a button
const TAP_ZOOM = 2.5;                // by a double tap
const WHEEL_ZOOM = 1.002;            // by a pixel of the wheel, of which a notch has about 100
const LINE_PX = 16;                  // of a wheel that counts lines
const KEY_PAN = 0.15;                // of the stage
const DOUBLE_TAP = { ms: 350, px: 40 };
const TAP_PX = 10;                   // a finger that moves further does not tap

const MIDDLE = { x: 0, y: 0 };

const stage = $('stage');
const pane = $('pane');
const picture = $('picture');

/** `x` and `y`: where the middle of the picture is from that of the stage, in widths and heights of the picture at zoom 1;
    `turn` clockwise, in degrees. */
const look = {
  zoom: 1, x: 0, y: 0,
  turn: Number(remembered('turn')) || 0,
  isMirrored: remembered('mirror') === 'true',
};

const isUpright = () => look.turn % 180 === 0;

/** The size at which the picture fits the stage, [width, height] in px. */
function fittedSize() {
  const shown = $('fallback').hidden ? picture : $('fallback');
  const size = [shown.naturalWidth || shown.width, shown.naturalHeight || shown.height];
  const [width, height] = isUpright() ? size : size.reverse();
  const scale = Math.min(stage.clientWidth / width, stage.clientHeight / height);
  return scale > 0 && scale < Infinity ? [width * scale, height * scale] : [1, 1];
}

/** Puts the picture where `look` says; it covers the stage or stands in its middle. */
function place() {
  const { clientWidth, clientHeight } = stage;
  const [width, height] = fittedSize();
  const within = (value, room) => Math.max(-room, Math.min(room, value));
  look.x = within(look.x, Math.max(0, (look.zoom - clientWidth / width) / 2));
  look.y = within(look.y, Math.max(0, (look.zoom - clientHeight / height) / 2));
  const [paneWidth, paneHeight] = isUpright() ? [clientWidth, clientHeight] : [clientHeight, clientWidth];
  const style = {
    width: paneWidth + 'px', height: paneHeight + 'px',
    left: (clientWidth - paneWidth) / 2 + 'px', top: (clientHeight - paneHeight) / 2 + 'px',
    transform: 'translate(' + look.x * width + 'px, ' + look.y * height + 'px) scale(' + look.zoom + ')' + (look.isMirrored ? ' scaleX(-1)' : '') + ' rotate(' + look.turn + 'deg)',
  };
  Object.keys(style).forEach((name) => { if (pane.style[name] !== style[name]) pane.style[name] = style[name]; });
  const zoomText = look.zoom > 1 ? Number(look.zoom.toFixed(1)) + '×' : '';
  stage.dataset.zoom = Number(look.zoom.toFixed(2));
  say('zoom', zoomText);
  say('zoom-now', zoomText || '1×');
  $('zoom-out').disabled = $('zoom-whole').disabled = look.zoom === 1;
  $('zoom-in').disabled = look.zoom === MAX_ZOOM;
  $('mirror').checked = look.isMirrored;
}

/** Zooms to `zoom`; what is at `point`, px from the middle of the stage, stays there, but for what is `moved`. */
function zoomTo(zoom, point = MIDDLE, moved = MIDDLE) {
  const before = look.zoom;
  const [width, height] = fittedSize();
  look.zoom = Math.max(1, Math.min(MAX_ZOOM, zoom));
  if (look.zoom < before && look.zoom < 1.01) look.zoom = 1;
  const placed = (at, middle) => at - (at - middle) * look.zoom / before;
  look.x = placed(point.x / width, look.x) + moved.x / width;
  look.y = placed(point.y / height, look.y) + moved.y / height;
  place();
}

export const zoomBy = (steps) => zoomTo(look.zoom * Math.pow(KEY_ZOOM, steps));
export const showWhole = () => zoomTo(1);
export const isZoomed = () => look.zoom > 1;

/** Shows more of what lies to the right and below, in steps. */
export function panBy(right, down) {
  zoomTo(look.zoom, MIDDLE, { x: -right * KEY_PAN * stage.clientWidth, y: -down * KEY_PAN * stage.clientHeight });
}

/** A quarter clockwise, as the viewer sees it. */
export function turn() {
  Object.assign(look, { turn: (look.turn + (look.isMirrored ? 270 : 90)) % 360, x: -look.y, y: look.x });
  remember('turn', look.turn);
  place();
}

export function mirror() {
  Object.assign(look, { isMirrored: !look.isMirrored, x: -look.x });
  remember('mirror', look.isMirrored);
  place();
}

// ---- wheel, mouse and fingers ----

const fingers = new Map();           // by pointer id: where it is, and how far it has gone
let taps = 0;                        // and clicks in a row
let lastTap = { at: 0, x: 0, y: 0 };
let pointerType = 'mouse';           // of the last that came down

/** Where an event is, px from the middle of the stage. */
function pointOf(event) {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
}

function onWheel(event) {
  event.preventDefault();            // with Ctrl, as of two fingers on a touchpad, the page itself would zoom
  const px = event.deltaY * (event.deltaMode === 1 ? LINE_PX : event.deltaMode === 2 ? stage.clientHeight : 1);
  zoomTo(look.zoom * Math.pow(WHEEL_ZOOM, -px * (event.ctrlKey ? 5 : 1)), pointOf(event));
}

function onDown(event) {
  pointerType = event.pointerType;
  if (event.button !== 0 || event.target.closest(pointerType === 'mouse' ? 'button, #notice' : 'button')) {   // a mouse selects text
    taps = 0;
    return;
  }
  fingers.set(event.pointerId, Object.assign(pointOf(event), { gone: 0 }));
  if (fingers.size > 1) fingers.forEach((finger) => { finger.gone = Infinity; });
  stage.setPointerCapture(event.pointerId);
}

function onMove(event) {
  if (!event.buttons) fingers.delete(event.pointerId);   // nobody told of the release
  const finger = fingers.get(event.pointerId);
  if (!finger) return;
  const to = pointOf(event);
  const moved = { x: to.x - finger.x, y: to.y - finger.y };
  const other = Array.from(fingers.values()).find((one) => one !== finger);
  if (other) {
    const distance = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
    const between = { x: (finger.x + other.x) / 2, y: (finger.y + other.y) / 2 };
    zoomTo(look.zoom * distance(to) / distance(finger), between, { x: moved.x / 2, y: moved.y / 2 });
  } else {
    zoomTo(look.zoom, MIDDLE, moved);
  }
  Object.assign(finger, to, { gone: finger.gone + Math.hypot(moved.x, moved.y) });
}

function onUp(event) {
  const finger = fingers.get(event.pointerId);
  fingers.delete(event.pointerId);
  if (!finger) return;
  const { at, x, y } = lastTap;
  taps = event.type === 'pointerup' && finger.gone < TAP_PX ? taps + 1 : 0;
  lastTap = { at: event.timeStamp, x: finger.x, y: finger.y };
  if (pointerType === 'mouse' || taps < 2 || event.timeStamp - at > DOUBLE_TAP.ms || Math.hypot(finger.x - x, finger.y - y) > DOUBLE_TAP.px) return;
  taps = 0;
  zoomTo(isZoomed() ? 1 : TAP_ZOOM, finger);
}

stage.addEventListener('wheel', onWheel, { passive: false });
stage.addEventListener('pointerdown', onDown);
stage.addEventListener('pointermove', onMove);
['pointerup', 'pointercancel'].forEach((end) => stage.addEventListener(end, onUp));
stage.addEventListener('dblclick', () => { if (pointerType === 'mouse' && taps > 1) toggleFullScreen(); });
if (window.ResizeObserver) new ResizeObserver(place).observe(stage);
view.onRefresh.push(place);          // the picture's size may have changed; in old browsers, the stage's
place();

// ---- picture in picture: a video of what the stage shows, and of the state when that is not live ----

const pip = { video: null, canvas: document.createElement('canvas'), ticker: null, seen: {} };
export const hasPip = Boolean(document.pictureInPictureEnabled && pip.canvas.captureStream && HTMLVideoElement.prototype.requestPictureInPicture);

export async function togglePip() {
  try {
    if (document.pictureInPictureElement) return await document.exitPictureInPicture();
    if (!link.reads) throw new Error('only the <img> has the picture');
    if (!pip.video) setUpPip();
    drawPip();
    await pip.video.play();
    await pip.video.requestPictureInPicture();
  } catch (error) { toast('This browser allows no picture in picture now'); }
}

function setUpPip() {
  pip.video = Object.assign(document.createElement('video'), { muted: true, srcObject: pip.canvas.captureStream() });
  pip.video.addEventListener('pause', () => { if (document.pictureInPictureElement) pip.video.play(); });   // else its last picture looks live
  pip.video.addEventListener('enterpictureinpicture', () => {
    painter.onPaint = drawPip;
    // A hidden page's own timers come once a minute: too late to say that the picture is old.
    pip.ticker = new Worker(address('static/ticker.js'));
    pip.ticker.onmessage = tick;
  });
  pip.video.addEventListener('leavepictureinpicture', () => {
    pip.video.pause();
    pip.ticker.terminate();
    painter.onPaint = () => {};
    document.dispatchEvent(new Event('visibilitychange'));   // without it a hidden page may rest
  });
}

function drawPip() {
  const { canvas, seen } = pip;
  const { width, height } = picture;
  const [across, down] = isUpright() ? [width, height] : [height, width];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const brush = canvas.getContext('2d', { alpha: false });
  const isLive = link.reads && ['live', 'slow'].includes(seen.state);
  brush.setTransform(1, 0, 0, 1, 0, 0);
  Object.assign(brush, { globalAlpha: 1, fillStyle: '#08090b' });
  brush.fillRect(0, 0, across, down);
  brush.setTransform(look.isMirrored ? -1 : 1, 0, 0, 1, across / 2, down / 2);
  brush.rotate(look.turn * Math.PI / 180);
  brush.globalAlpha = isLive ? 1 : 0.3;
  brush.drawImage(picture, -width / 2, -height / 2);
  if (isLive) return;
  brush.setTransform(1, 0, 0, 1, 0, 0);
  Object.assign(brush, { globalAlpha: 1, fillStyle: '#fff', textAlign: 'center', font: '600 ' + Math.round(down / 10) + 'px sans-serif' });
  brush.fillText(seen.label, across / 2, down / 2, across * 0.9);
}

view.onRefresh.push((seen) => {
  const isNew = seen.state !== pip.seen.state || seen.label !== pip.seen.label;
  pip.seen = seen;
  if (isNew && document.pictureInPictureElement) drawPip();
});

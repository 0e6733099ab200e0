// What both pages have, that of one camera and that of all: words on the page, files from it, full screen, and rest
// while nobody can see it.

import { ask, isFresh, isSeen, pollState, refusal, server } from './server.js';
import { TOO_MANY, complaints, withoutNumbers } from './verdict.js';

const HIDDEN_MS = 10000;             // a hidden tab stops its stream after this
const UNANSWERED = 3;                // so often in a row the server did not answer while its pictures came: other windows have the connections

export const $ = (id) => document.getElementById(id);

// ---- words ----

/** Writes only what changed; an empty text hides the element. `where` is one, or its id. */
export function say(where, text) {
  const element = typeof where === 'string' ? $(where) : where;
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

export function toast(text) {
  write($('toast'), text);
  $('toast').classList.add('shown');
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $('toast').classList.remove('shown'); $('toast').textContent = ''; }, 5000);
}

/** Says what ails the server's machine, or this browser; and speaks it with `words`, once they have lasted. */
export function sayAll(words, state) {
  const health = server.timeouts >= UNANSWERED && state !== 'full' ? TOO_MANY : isFresh() ? complaints(server.report.health || {}) : '';
  say('health', health);
  const spoken = words.concat(health.split('\n').map(withoutNumbers)).filter(Boolean).join('. ');
  if (spoken === spokenBefore && spoken !== announced) $('announce').textContent = announced = spoken;
  spokenBefore = spoken;
}

let spokenBefore = '';
let announced = 'Connecting…';

// ---- files ----

/** A picture from the server, under the name that it gives: {blob, name}. `path` is where its addresses begin. */
export async function newestPicture(path = '') {
  const response = await ask(path + 'snapshot.jpg');
  if (!response.ok) throw await refusal(response);
  const named = /filename="?([^";]+)/i.exec(response.headers.get('Content-Disposition') || '');
  return { blob: await response.blob(), name: named ? named[1] : fileName(Date.now()) };
}

/** As the server names its snapshots; `time` in ms since 1970. */
export function fileName(time) {
  const millis = Math.floor(time + 0.001);       // seconds.micros times 1000 may be a hair too small
  const name = (server.report.name || '').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return ['camfeed', name, new Date(millis).toISOString().replace(/[-:]/g, '') + '.jpg'].filter(Boolean).join('-');
}

export function saveBlob({ blob, name }) {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 30000);
}

/** Runs `action` unless the button's last is still under way. */
export async function whileBusy(button, action) {
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  await action();
  button.removeAttribute('aria-busy');
}

// ---- full screen ----

export function toggleFullScreen() {
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

$('fullscreen').hidden = !document.fullscreenEnabled;   // an iPhone has none
['keydown', 'pointermove', 'fullscreenchange'].forEach((sign) => document.addEventListener(sign, wakeBar));

/** A button clicked with the mouse gives the focus back before it acts, so that Space still means pause. */
function onPointerClick(event) {
  if (event.detail && event.target.closest('button, [type="checkbox"]')) document.activeElement.blur();   // a key has no detail
}

document.addEventListener('click', onPointerClick, true);

// ---- rest ----

/** The link of the page rests when it has been out of sight for a while. */
export function watchSight(link) {
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    if (!isSeen()) {
      timer = setTimeout(() => link.setAsleep(true), HIDDEN_MS);
      return;
    }
    link.setAsleep(false);
    pollState();
  };
  document.addEventListener('visibilitychange', look);
  window.addEventListener('online', () => link.hurry());
  window.addEventListener('pagehide', () => link.rest());
  window.addEventListener('pageshow', (event) => { if (event.persisted) look(); });
}

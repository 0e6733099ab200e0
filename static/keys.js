// The buttons of the bar, and the keys that press them.

import { onHold, resetControls, whyNoControls } from './controls.js';
import { PANELS, showPanel, togglePanel } from './panels.js';
import { connect, link, painter, setPaused } from './player.js';
import { ask, now, refusal, remember, server } from './server.js';
import { hasPip, isZoomed, mirror, panBy, showWhole, toggleFullScreen, togglePip, turn, zoomBy } from './stage.js';
import { fittingRate, wordsOf } from './verdict.js';
import { $, toast, view } from './view.js';

const RATES = [10, 5, 1];            // in the menu, frames a second

// ---- snapshot ----

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
  const blob = painted.blob || await new Promise((resolve) => $('picture').toBlob(resolve, 'image/jpeg', 0.95));
  return { blob, name: fileName(time) };
}

/** As the server names its snapshots; `time` in ms since 1970. */
function fileName(time) {
  const millis = Math.floor(time + 0.001);       // seconds.micros times 1000 may be a hair too small
  const name = (server.report.name || '').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return ['camfeed', name, new Date(millis).toISOString().replace(/[-:]/g, '') + '.jpg'].filter(Boolean).join('-');
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

// ---- full screen ----

function wakeBar() {
  const isFull = Boolean(document.fullscreenElement);
  document.body.classList.toggle('full', isFull);
  document.body.classList.remove('at-rest');
  clearTimeout(wakeBar.timer);
  if (isFull) wakeBar.timer = setTimeout(() => document.body.classList.add('at-rest'), 3000);
}

// ---- rate ----

/** Fills the menu, with the rate that `fits` a slow link (0: none). */
function fillRates(fits) {
  const menu = $('rate');
  const rates = Array.from(new Set(RATES.concat(link.fps, fits))).filter(Boolean).sort((a, b) => b - a);
  const said = rates.join() + ':' + fits;
  if (menu.dataset.said === said || document.activeElement === menu) return;   // it may be open
  menu.dataset.said = said;
  menu.textContent = '';
  menu.append(new Option('Full rate', ''));
  rates.forEach((fps) => menu.append(new Option(fps + ' fps' + (fps === fits ? ' (fits)' : ''), fps)));
  menu.value = link.fps || '';
}

let isPointed = false;
$('rate').addEventListener('pointerdown', () => { isPointed = true; });
$('rate').addEventListener('keydown', () => { isPointed = false; });
$('rate').addEventListener('change', () => {
  link.fps = Number($('rate').value);
  remember('fps', $('rate').value);
  if (isPointed) $('rate').blur();               // as onPointerClick
  connect();
});
view.onRefresh.push(({ state }) => {
  const received = state === 'slow' && link.rate.perSecond(now());
  fillRates(received ? fittingRate(received) : 0);
});

// ---- keys ----

function toggle(panel) {
  if ($('toggle-' + panel).hidden) toast(whyNoControls());
  else togglePanel(panel);
}

const togglePause = () => setPaused(!link.pausedAt);

const KEYS = {
  ' ': togglePause,
  s: saveSnapshot,
  f: toggleFullScreen,
  v: () => toggle('view'),
  c: () => toggle('controls'),
  '?': () => toggle('addresses'),
  escape: () => showPanel(''),
  r: turn,
  m: mirror,
  p: () => { if (hasPip) togglePip(); },
  0: showWhole,
};

/** These go on while the key is held. */
const HELD_KEYS = {
  '+': () => zoomBy(1), '=': () => zoomBy(1), '-': () => zoomBy(-1),
  arrowleft: () => panBy(-1, 0), arrowright: () => panBy(1, 0), arrowup: () => panBy(0, -1), arrowdown: () => panBy(0, 1),
};

function onKey(event) {
  wakeBar();
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest('select')) return;
  const key = event.key.toLowerCase();
  if (key === ' ' && event.target.closest('button, summary, a, [type="checkbox"]')) return;
  if (key.startsWith('arrow') && (!isZoomed() || event.target.closest('input, .panel'))) return;
  const action = HELD_KEYS[key] || (event.repeat ? null : KEYS[key]);
  if (!action) return;
  if (key === ' ' || HELD_KEYS[key]) event.preventDefault();
  action();
}

/** A button clicked with the mouse gives the focus back before it acts, so that Space still means pause. */
function onPointerClick(event) {
  if (event.detail && event.target.closest('button, [type="checkbox"]')) document.activeElement.blur();   // a key has no detail
}

$('fullscreen').hidden = !document.fullscreenEnabled;   // an iPhone has none
const onClick = (id, action) => $(id).addEventListener('click', action);
onClick('snapshot', saveSnapshot);
onClick('pause', togglePause);
onClick('fullscreen', toggleFullScreen);
onClick('zoom', showWhole);
onClick('zoom-whole', showWhole);
onHold($('zoom-in'), () => zoomBy(1));
onHold($('zoom-out'), () => zoomBy(-1));
onClick('turn', turn);
onClick('mirror', mirror);
onClick('pip', togglePip);
$('pip').hidden = $('key-pip').hidden = !hasPip;
PANELS.forEach((name) => {
  onClick('toggle-' + name, () => toggle(name));
  onClick('close-' + name, () => showPanel(''));
});
onClick('reset-controls', resetControls);
document.addEventListener('click', onPointerClick, true);
document.addEventListener('keydown', onKey);
document.addEventListener('pointermove', wakeBar);
document.addEventListener('fullscreenchange', wakeBar);

// The buttons of the bar, and the keys that press them.

import { resetControls, whyNoControls } from './controls.js';
import { PANELS, showPanel, togglePanel } from './panels.js';
import { connect, link, painter, setPaused } from './player.js';
import { ask, now, refusal, remember } from './server.js';
import { wordsOf } from './verdict.js';
import { $, toast } from './view.js';

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

// ---- full screen ----

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

// ---- rate ----

function setUpRate() {
  $('rate').value = link.fps || '';
  if ($('rate').selectedIndex < 0) { $('rate').value = ''; link.fps = 0; }
  let isPointed = false;
  $('rate').addEventListener('pointerdown', () => { isPointed = true; });
  $('rate').addEventListener('keydown', () => { isPointed = false; });
  $('rate').addEventListener('change', () => {
    link.fps = Number($('rate').value);
    remember('fps', $('rate').value);
    if (isPointed) $('rate').blur();             // as onPointerClick
    connect();
  });
}

// ---- keys ----

function toggle(panel) {
  if ($('toggle-' + panel).hidden) toast(whyNoControls());
  else togglePanel(panel);
}

const togglePause = () => setPaused(!link.pausedAt);

function onKey(event) {
  wakeBar();
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.target.closest('select')) return;
  const key = event.key.toLowerCase();
  const isOnButton = Boolean(event.target.closest('button, summary, a, [type="checkbox"]'));
  if (key === ' ' && !isOnButton) { event.preventDefault(); togglePause(); }
  else if (key === 's') saveSnapshot();
  else if (key === 'f') toggleFullScreen();
  else if (key === 'c') toggle('controls');
  else if (key === '?') toggle('addresses');
  else if (key === 'escape') showPanel('');
}

/** A button clicked with the mouse gives the focus back before it acts, so that Space still means pause. */
function onPointerClick(event) {
  if (event.detail && event.target.closest('button, [type="checkbox"]')) document.activeElement.blur();   // a key has no detail
}

setUpRate();
$('fullscreen').hidden = !document.fullscreenEnabled;   // an iPhone has none
const onClick = (id, action) => $(id).addEventListener('click', action);
onClick('snapshot', saveSnapshot);
onClick('pause', togglePause);
onClick('fullscreen', toggleFullScreen);
PANELS.forEach((name) => {
  onClick('toggle-' + name, () => toggle(name));
  onClick('close-' + name, () => showPanel(''));
});
onClick('reset-controls', resetControls);
document.addEventListener('click', onPointerClick, true);
document.addEventListener('keydown', onKey);
document.addEventListener('pointermove', wakeBar);
document.addEventListener('fullscreenchange', wakeBar);

// The viewer page: its newest picture, how old that is, and what can be done with it. Here are the buttons of the bar and
// the keys that press them, and here the modules are put together; player.js has begun before. Imports go one way:
// parts <- server <- page <- player <- view <- panels, stage <- main; verdict (pure) has the words.
// Written in ES2018 on purpose: old tablets are good wall displays.

import { $, fileName, newestPicture, saveBlob, toast, toggleFullScreen, watchSight, whileBusy } from './page.js';
import { PANELS, onHold, resetControls, showPanel, togglePanel, whyNoControls } from './panels.js';
import { link, painter, setPaused } from './player.js';
import { address, cameraNow, now, pollState, remember, server } from './server.js';
import { hasPip, isZoomed, mirror, panBy, showWhole, togglePip, turn, zoomBy } from './stage.js';
import { fittingRate, wordsOf } from './verdict.js';
import { refresh, tick, view } from './view.js';

const TICK_MS = 250;
const RATES = [10, 5, 1];            // in the menu, frames a second

// ---- snapshot ----

const saveSnapshot = () => whileBusy($('snapshot'), async () => {
  try {
    const picture = link.pausedAt ? await pausedPicture() : await newestPicture();
    saveBlob(picture);
    toast('Saved ' + picture.name);
  } catch (error) {
    toast('No snapshot: ' + wordsOf(error));
  }
});

/** The picture on the screen, under its own time: the bytes as they came; of an <img> its pixels as they were painted. */
async function pausedPicture() {
  const { painted } = painter;
  if (!painted) throw new Error('there is no picture on the screen');
  if (painted.isPlaceholder) throw new Error('there was no live picture to pause on');
  const time = painted.timestamp ? 1000 * painted.timestamp : Date.now() - now() + painted.at;
  const blob = painted.blob || await new Promise((resolve) => $('picture').toBlob(resolve, 'image/jpeg', 0.95));
  return { blob, name: fileName(time) };
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
  if (isPointed) $('rate').blur();               // as a button does
  link.connect();
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
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest('select')) return;
  const key = event.key.toLowerCase();
  if (key === ' ' && event.target.closest('button, summary, a, [type="checkbox"]')) return;
  if (key.startsWith('arrow') && (!isZoomed() || event.target.closest('input, .panel'))) return;
  const action = HELD_KEYS[key] || (event.repeat ? null : KEYS[key]);
  if (!action) return;
  if (key === ' ' || HELD_KEYS[key]) event.preventDefault();
  action();
}

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
document.addEventListener('keydown', onKey);

// ---- the page ----

document.documentElement.classList.add('js');
link.onChange = server.onAnswer = refresh;
server.onRefusal = ({ message }) => {
  if (cameraNow().fallback && /no camera/.test(message)) location.replace(address('../'));   // one has taken the pattern's place
};
watchSight(link);
server.onReport.push(({ report, before }) => {
  const count = ({ cameras }) => (cameras || []).length;
  if (count(report) > 1 && count(before) === 1) location.reload();   // another camera has joined: this is the page of all now
});
setInterval(tick, TICK_MS);
refresh();
pollState();

// The page of all cameras: their newest pictures over one connection, one of them large on demand, and what is said of all.
// streams.js has begun before.
// Imports go one way: parts <- server <- page, streams <- tile <- wall <- grid; verdict (pure) has the words.

import { $, newestPicture, saveBlob, say, sayAll, toast, toggleFullScreen, watchSight, whileBusy } from './page.js';
import { SILENCE_MS, address, clockJump, isFresh, pollState, remember, remembered, server } from './server.js';
import { ask, cameras, link } from './streams.js';
import { ageText, rateText, withoutNumbers, wordsOf } from './verdict.js';
import { enlarge, place, setCameras, wall } from './wall.js';

const TICK_MS = 250;
const POLL_MS = { live: 2000, settling: 400 };   // while all are live, while a camera opens; else a second
const MOST_SNAPSHOTS = 3;            // on their way at a time
const TONES = ['good', 'quiet', 'warn', 'bad'];

// ---- one of them large ----

/** Shows one camera alone, and remembers it; null: all. */
function show(tile) {
  if (tile === wall.large) return;
  const before = wall.large;
  const isByKey = document.activeElement !== document.body;   // what had the focus goes
  enlarge(tile);
  remember('view', tile ? tile.name : '');
  document.querySelectorAll('.when-large').forEach((element) => { element.hidden = !tile; });
  document.body.classList.toggle('with-large', Boolean(tile));
  say('snapshot-text', tile ? 'Snapshot' : 'Snapshot of each');
  if (tile) $('own').href = address(tile.name + '/');
  if (isByKey && !tile) before.button.focus();
  else if (isByKey && !before) $('back').focus({ preventScroll: true });
  refresh();
}

/** An arrow key: another camera is large; where all are shown, another tile has the focus. */
function move(columns, rows) {
  const { tiles, large } = wall;
  if (large) return show(tiles[(tiles.indexOf(large) + columns + rows + tiles.length) % tiles.length]);
  const at = tiles.findIndex((tile) => tile.button === document.activeElement);
  const to = tiles[at < 0 ? 0 : at + columns + rows * wall.columns];
  if (to) to.button.focus();
}

// ---- snapshots ----

/** One of the camera that is large, else one of each. */
const saveSnapshots = () => whileBusy($('snapshot'), async () => {
  const waiting = wall.large ? [wall.large] : wall.tiles.slice();
  const saved = [];
  const failed = [];
  const saveNext = async () => {
    for (let tile = waiting.shift(); tile; tile = waiting.shift()) {
      const { name } = tile;
      try {
        const picture = await newestPicture(name + '/');
        saveBlob(picture);
        saved.push(picture.name);
      } catch (error) { failed.push('No snapshot of ' + name + ': ' + wordsOf(error)); }
    }
  };
  await Promise.all(Array.from({ length: MOST_SNAPSHOTS }, saveNext));
  const done = saved.length > 1 ? ['Saved ' + saved.length + ' snapshots'] : saved.map((name) => 'Saved ' + name);
  toast(done.concat(failed).join('\n'));
});

// ---- keys and buttons ----

const KEYS = {
  escape: () => show(null),
  s: saveSnapshots,
  f: toggleFullScreen,
  arrowleft: () => move(-1, 0), arrowright: () => move(1, 0), arrowup: () => move(0, -1), arrowdown: () => move(0, 1),
};

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.toLowerCase();
  const tile = /^[1-9]$/.test(key) ? wall.tiles[key - 1] : null;
  const action = tile ? () => show(tile) : KEYS[key];
  if (!action || (event.repeat && !key.startsWith('arrow'))) return;
  if (key.startsWith('arrow')) event.preventDefault();
  action();
}

const onClick = (id, action) => $(id).addEventListener('click', action);
onClick('wall', ({ target }) => {
  const tile = wall.tiles.find(({ button }) => button === target);
  if (tile) show(tile);
});
onClick('back', () => show(null));
onClick('previous', () => move(-1, 0));
onClick('next', () => move(1, 0));
onClick('snapshot', saveSnapshots);
onClick('fullscreen', toggleFullScreen);
document.addEventListener('keydown', onKey);

// ---- what is said of all ----

/** Several times a second, to see what nobody tells. */
function tick() {
  if (clockJump() && link.attempt) link.connect();
  const isUp = !isFresh() || wall.tiles.some(({ isInSight, camera }) => isInSight && camera.state === 'online');
  link.watchSilence(isUp ? SILENCE_MS : 6 * SILENCE_MS);   // of cameras that are gone, little comes
  place();                           // a picture's shape may have changed
  refresh();
}

function refresh() {
  const haveChanged = wall.tiles.filter((tile) => tile.refresh()).length > 0;
  const seen = wall.large ? wall.large.seen : summary();
  Object.assign(document.body.dataset, { state: seen.state, tone: seen.tone });
  say('label', seen.label);
  sayFacts(seen.state);
  sayAll(wordsOfAll(), seen.state);
  const isSettling = wall.tiles.some((tile) => ['idle', 'opening'].includes(tile.seen.state));
  server.pollMs = isSettling ? POLL_MS.settling : wall.tiles.every(isWell) ? POLL_MS.live : 1000;
  if (haveChanged) pollState();      // the server may know why
}

/** Of a tile out of sight, the server knows. */
const isWell = (tile) => ['live', 'slow'].includes(tile.seen.state) || (!tile.isInSight && isFresh() && tile.camera.healthy === true);

/** The state of all cameras: that of each, where all have the same. */
function summary() {
  const all = wall.tiles.map((tile) => tile.seen);
  const [first] = all;
  if (!first) return { state: 'connecting', tone: 'quiet', label: 'Connecting…' };
  const well = wall.tiles.filter(isWell).length;
  if (!well && all.every(({ state }) => state === first.state)) return first;
  const tone = all.reduce((worst, seen) => (TONES.indexOf(seen.tone) > TONES.indexOf(worst) ? seen.tone : worst), 'good');
  if (well === all.length) return { state: 'live', tone: tone === 'quiet' ? 'good' : tone, label: 'All live' };
  return { state: 'some', tone, label: well + ' of ' + all.length + ' live' };
}

function sayFacts(state) {
  const { large } = wall;
  const received = large ? large.rate.perSecond(performance.now()) : 0;
  say('fps', received && state === 'live' ? rateText(received) + ' fps' : '');
  say('age', large && large.painted && ['live', 'slow', 'stale'].includes(state) ? ageText(large.pictureAge) : '');
  const name = large ? large.name : pageTitle;
  say('name', name);
  const label = $('label').textContent;
  const title = (state === 'live' ? '' : (state === 'some' ? label : withoutNumbers(label)) + ' – ') + name;
  if (document.title !== title) document.title = title;
}

/** Which cameras are not live, and why. */
function wordsOfAll() {
  const tiles = wall.large ? [wall.large] : wall.tiles;
  const unwell = tiles.filter((tile) => !isWell(tile));
  const [first] = unwell;
  if (!first) return [wall.large ? wall.large.name + ': ' + wall.large.words : 'All cameras are live'];
  const isShared = unwell.length > 1 && unwell.length === tiles.length && unwell.every(({ words }) => words === first.words);
  return isShared ? [first.words] : unwell.map(({ name, words }) => name + ': ' + words);
}

// ---- the page ----

const pageTitle = document.title;
document.documentElement.classList.add('js');
wall.onSight = ask;
server.onAnswer = refresh;
link.onChange = () => {
  wall.tiles.forEach((tile) => tile.close());
  refresh();
};
server.onReport.push(({ report, wasGone }) => {
  const all = report.cameras || [];
  if (!all.length) return;
  if (all.length === 1) return location.reload();   // its page now
  setCameras(all.map(({ name }) => name));
  if (wall.large && !wall.tiles.includes(wall.large)) show(null);
  wall.tiles.forEach((tile, at) => tile.report(all[at], report));
  if (wasGone && link.failure && !link.failure.isRefusal) link.hurry();
});
setCameras(cameras);
const before = wall.tiles.find(({ name }) => name === remembered('view'));
if (before) show(before);
watchSight(link);
setInterval(tick, TICK_MS);
refresh();
pollState();
